import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import type * as SqlClient from "effect/sql/SqlClient"
import { CognitoFailure, LoginRejected, LoginThrottled, type Session } from "./Cognito.ts"
import { openLocalSession } from "./CognitoLocalSessions.ts"
import type { LocalTokens } from "./CognitoLocalTokens.ts"
import { selectLocalUser } from "./CognitoLocalUsers.ts"
import { checkPassword } from "./CognitoPasswords.ts"
import { isUserName } from "./CognitoUserName.ts"

/** Passwords hashed at once: half of the threads that Node has for such work. File access and DNS need the others. */
export const HASHERS = 2

/** Logins that are hashed or wait for it: what the hashers do in two seconds. One more is throttled. */
const LOGINS_IN_FLIGHT = 24

/** The time of one operation with the database in all: what a caller of the API waits at most. */
const CALL_LIMIT = "3 seconds"

/** A failure if PostgreSQL is unavailable, or has not answered within `CALL_LIMIT`. */
export const guard =
  (operation: CognitoFailure["operation"]) =>
  <A, E>(self: Effect.Effect<A, E>) =>
    self.pipe(
      Effect.timeout(CALL_LIMIT),
      Effect.mapError((cause) => new CognitoFailure({ operation, cause })),
    )

/** Signs in against the table of local users. The e-mail has to be written as it is stored. */
export const makeLocalLogin = (sql: SqlClient.SqlClient, tokens: LocalTokens) => {
  const hashers = Semaphore.makeUnsafe(HASHERS)
  const admission = Semaphore.makeUnsafe(LOGINS_IN_FLIGHT)

  /** The user, if the password is right. */
  const authenticate = Effect.fnUntraced(function* (email: string, password: Redacted.Redacted) {
    const user = yield* selectLocalUser(sql, "email", email)
    const known = yield* checkPassword(hashers, Redacted.value(password), user)
    return known ? user : undefined
  })

  return Effect.fn("Cognito.login")(function* (email: string, password: Redacted.Redacted) {
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
    const opened = yield* guard("login")(openLocalSession(sql, { id, userId: user.id }))
    const session: Session = {
      accessToken: yield* tokens.issue(user.id, id, opened.started),
      refreshToken: opened.refreshToken,
      profile: { userId: user.id, email: user.email },
    }
    return session
  })
}
