import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { UserId } from "../../domain/Score.ts"
import {
  Cognito,
  CognitoFailure,
  LoginRejected,
  LoginThrottled,
  type Renewal,
  type Session,
  TokenRejected,
} from "./Cognito.ts"
import { loadLocalKey } from "./CognitoLocalKey.ts"
import {
  closeLocalSession,
  createLocalSessions,
  findLocalSession,
  openLocalSession,
} from "./CognitoLocalSessions.ts"
import { createLocalUsers, seedUser, type SeedUser, selectLocalUser } from "./CognitoLocalUsers.ts"
import { checkPassword } from "./CognitoPasswords.ts"
import { makeTokens } from "./CognitoTokens.ts"
import { isUserName } from "./CognitoUserName.ts"

/** The local provider's `iss`: a name, nothing is fetched from it. */
const ISSUER = "urn:scoreboard:local-identity"

/** The local provider's `client_id`. */
const CLIENT_ID = "scoreboard-local"

/** How long an access token holds: Cognito's default of one hour. */
const TOKEN_SECONDS = 3600

/** Passwords hashed at once: half of the threads that Node has for such work, which files and names need, too. */
const HASHERS = 2

/** Logins at work or waiting for a hasher: what the hashers do in two seconds. One more is throttled. */
const LOGINS_IN_FLIGHT = 24

/** A login or a profile in all: what a caller is made to wait. */
const CALL_LIMIT = "3 seconds"

export interface CognitoLocalOptions {
  /** The folder of the signing key; made when it is missing. */
  readonly dataDir: string
  /** Users to make at the start unless they are there, by e-mail. */
  readonly users?: ReadonlyArray<SeedUser>
}

/** The claims of Cognito's own access tokens; like those, without the e-mail. */
const accessTokenClaims = (userId: UserId, sessionId: string, nowSeconds: number) => ({
  sub: userId,
  iss: ISSUER,
  client_id: CLIENT_ID,
  origin_jti: sessionId,
  token_use: "access",
  scope: "aws.cognito.signin.user.admin",
  auth_time: nowSeconds,
  exp: nowSeconds + TOKEN_SECONDS,
  iat: nowSeconds,
  jti: randomUUID(),
  username: userId,
})

/** PostgreSQL away, or no outcome in time. */
const guard =
  (operation: CognitoFailure["operation"]) =>
  <A, E>(self: Effect.Effect<A, E>) =>
    self.pipe(
      Effect.timeout(CALL_LIMIT),
      Effect.mapError((cause) => new CognitoFailure({ operation, cause })),
    )

/**
 * Signs in against the table of local users and issues tokens that the verifier of Cognito's tokens accepts. An
 * e-mail has to be written as it was stored. Refresh tokens are opaque, hold for 30 days and do not rotate.
 */
const make = Effect.fnUntraced(function* (options: CognitoLocalOptions) {
  const sql = yield* SqlClient.SqlClient
  const seeding = Effect.forEach(options.users ?? [], (user) => seedUser(sql, user), {
    concurrency: HASHERS,
    discard: true,
  })
  yield* Effect.all([createLocalUsers(sql), createLocalSessions(sql), seeding], { discard: true }).pipe(
    Effect.mapError((cause) => new CognitoFailure({ operation: "start", cause })),
  )
  const key = yield* loadLocalKey(options.dataDir)
  const tokens = yield* makeTokens({
    issuer: ISSUER,
    clientId: CLIENT_ID,
    jwksUri: ISSUER,
    fetcher: { fetch: async () => new TextEncoder().encode(JSON.stringify(key.keySet)).buffer },
  })
  const hashers = Semaphore.makeUnsafe(HASHERS)
  const admission = Semaphore.makeUnsafe(LOGINS_IN_FLIGHT)

  const authenticate = Effect.fnUntraced(function* (email: string, password: Redacted.Redacted) {
    const user = yield* selectLocalUser(sql, "email", email)
    const known = yield* checkPassword(hashers, Redacted.value(password), user)
    return known ? user : undefined
  })

  const issue = (userId: UserId, sessionId: string) =>
    Effect.map(Clock.currentTimeMillis, (nowMillis) =>
      key.sign(accessTokenClaims(userId, sessionId, Math.floor(nowMillis / 1000))),
    )

  const login = Effect.fn("Cognito.login")(function* (email: string, password: Redacted.Redacted) {
    if (!isUserName(email)) return yield* new LoginRejected({ reason: "MalformedUserName" })
    const user = yield* authenticate(email, password).pipe(
      guard("login"),
      admission.withPermitsIfAvailable(1),
      Effect.flatMap(
        Option.match({ onNone: () => Effect.fail(new LoginThrottled()), onSome: Effect.succeed }),
      ),
    )
    if (user === undefined) return yield* new LoginRejected({ reason: "NotAuthorizedException" })
    const id = randomUUID()
    const session: Session = {
      accessToken: yield* issue(user.id, id),
      refreshToken: yield* guard("login")(openLocalSession(sql, { id, userId: user.id })),
      profile: { userId: user.id, email: user.email },
    }
    return session
  })

  const refresh = Effect.fn("Cognito.refresh")(function* (refreshToken: Redacted.Redacted) {
    const session = yield* guard("refresh")(findLocalSession(sql, Redacted.value(refreshToken)))
    if (session === undefined) return yield* new TokenRejected({ reason: "NotAuthorizedException" })
    const renewal: Renewal = {
      accessToken: yield* issue(session.user_id, session.id),
      refreshToken: undefined,
    }
    return renewal
  })

  const revoke = Effect.fn("Cognito.revoke")((refreshToken: Redacted.Redacted) =>
    guard("revoke")(closeLocalSession(sql, Redacted.value(refreshToken))),
  )

  const profile = Effect.fn("Cognito.profile")(function* (accessToken: string) {
    const { userId } = yield* tokens.verifyAccess(accessToken)
    const user = yield* guard("profile")(selectLocalUser(sql, "id", userId))
    if (user === undefined) return yield* new TokenRejected({ reason: "UserNotFoundException" })
    return { userId, email: user.email }
  })

  const service: Cognito["Service"] = {
    login,
    verify: tokens.verifyAccess,
    refresh,
    revoke,
    profile,
    check: tokens.check,
  }
  return service
})

/**
 * An identity provider in this process: users in a table of their own, which it makes, and a signing key in a
 * folder. Fails when one of the two cannot be had.
 */
export const layer = (options: CognitoLocalOptions) => Layer.effect(Cognito, make(options))
