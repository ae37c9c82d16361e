import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { Cognito, CognitoFailure, type Owner, type Renewal, TokenRejected } from "./Cognito.ts"
import { loadLocalKey } from "./CognitoLocalKey.ts"
import { guard, HASHERS, makeLocalLogin } from "./CognitoLocalLogin.ts"
import { closeLocalSession, createLocalSessions, findLocalSession } from "./CognitoLocalSessions.ts"
import { type LocalTokens, makeLocalTokens } from "./CognitoLocalTokens.ts"
import { createLocalUsers, seedUser, type SeedUser, selectLocalUser } from "./CognitoLocalUsers.ts"

export interface CognitoLocalOptions {
  /** The folder of the signing key; created if it is missing. */
  readonly dataDir: string
  /** Users to create at the start, unless a user with that e-mail exists. */
  readonly users?: ReadonlyArray<SeedUser>
}

/** Creates what is missing of the tables and of the users. Idempotent. */
const prepare = (sql: SqlClient.SqlClient, users: ReadonlyArray<SeedUser>) => {
  const seeding = Effect.forEach(users, (user) => seedUser(sql, user), {
    concurrency: HASHERS,
    discard: true,
  })
  return Effect.all([createLocalUsers(sql), createLocalSessions(sql), seeding], { discard: true }).pipe(
    Effect.mapError((cause) => new CognitoFailure({ operation: "start", cause })),
  )
}

/** Exchanging a refresh token for an access token, and revoking it. */
const makeSessions = (
  sql: SqlClient.SqlClient,
  { issue }: LocalTokens,
): Pick<Cognito["Service"], "refresh" | "revoke"> => ({
  refresh: Effect.fn("Cognito.refresh")(function* (refreshToken: Redacted.Redacted) {
    const session = yield* guard("refresh")(findLocalSession(sql, Redacted.value(refreshToken)))
    if (session === undefined) return yield* new TokenRejected({ reason: "NotAuthorizedException" })
    const renewal: Renewal = {
      accessToken: yield* issue(session.user_id, session.id, session.started),
      refreshToken: undefined,
    }
    return renewal
  }),
  revoke: Effect.fn("Cognito.revoke")((refreshToken: Redacted.Redacted, owner: Owner) =>
    guard("revoke")(closeLocalSession(sql, Redacted.value(refreshToken), owner)),
  ),
})

/** Who the user of an access token is. */
const makeProfile = (sql: SqlClient.SqlClient, { verifyAccess }: LocalTokens) =>
  Effect.fn("Cognito.profile")(function* (accessToken: string) {
    const { userId } = yield* verifyAccess(accessToken)
    const user = yield* guard("profile")(selectLocalUser(sql, "id", userId))
    if (user === undefined) return yield* new TokenRejected({ reason: "UserNotFoundException" })
    return { userId, email: user.email }
  })

const make = Effect.fnUntraced(function* (options: CognitoLocalOptions) {
  const sql = yield* SqlClient.SqlClient
  yield* prepare(sql, options.users ?? [])
  const tokens = yield* makeLocalTokens(yield* loadLocalKey(options.dataDir))
  return Cognito.of({
    login: makeLocalLogin(sql, tokens),
    verify: tokens.verifyAccess,
    profile: makeProfile(sql, tokens),
    ...makeSessions(sql, tokens),
    check: tokens.check,
  })
})

/**
 * An identity provider in this process: users and sign-ins in two tables, which it creates, and a signing key in a
 * folder. Refresh tokens are opaque, valid for 30 days and do not rotate. The layer fails when the database or the
 * folder is unavailable.
 */
export const layer = (options: CognitoLocalOptions) => Layer.effect(Cognito, make(options))
