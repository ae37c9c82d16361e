import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Redacted from "effect/Redacted"
import {
  databaseAway,
  InvalidCredentials,
  providerAway,
  TooManyRequests,
  Unauthorized,
} from "../../domain/Errors.ts"
import { CurrentPlayer, HandledApi, HISTORY_PAGE } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { Cognito, type Session } from "../../services/Cognito/Cognito.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { noStore } from "./CacheControl.ts"
import { clientAddressOf, Limits } from "./Limits.ts"
import { makeSessions, THROTTLED_SECONDS } from "./Sessions.ts"

const logins = labelledCounter({
  name: "logins_total",
  description: "Logins, by outcome.",
  label: "outcome",
  values: ["ok", "rejected", "throttled", "unavailable"],
})

/** `/users/…` */
export const UsersHandlers = HttpApiBuilder.group(HandledApi, "users", (handlers) =>
  Effect.gen(function* () {
    const cognito = yield* Cognito
    const sql = yield* Sql
    const sessions = yield* makeSessions
    const limits = yield* Limits

    // An address that cannot be stored now is asked for again with the player's first increment.
    const remember = ({ profile }: Session) =>
      Effect.catch(sql.register(profile.userId, profile.email), (error) =>
        Effect.logWarning("A player could not be stored at login", error),
      )

    const login = handlers.handle("login", ({ payload, request }) =>
      noStore.pipe(
        Effect.andThen(limits.login(payload.email, clientAddressOf(request))),
        Effect.andThen(cognito.login(payload.email, Redacted.make(payload.password))),
        Effect.tap(remember),
        Effect.tap(() => logins.add("ok")),
        Effect.map(({ accessToken, refreshToken }) => ({ accessToken, refreshToken })),
        Effect.catchTags({
          LoginRejected: (error) =>
            Effect.logInfo("A login was refused", { reason: error.reason }).pipe(
              Effect.andThen(logins.add("rejected")),
              Effect.andThen(Effect.fail(new InvalidCredentials())),
            ),
          LoginThrottled: () =>
            Effect.andThen(
              logins.add("throttled"),
              Effect.fail(new TooManyRequests({ retryAfterSeconds: THROTTLED_SECONDS })),
            ),
          CognitoFailure: (error) =>
            Effect.logError("The identity provider did not answer a login", error).pipe(
              Effect.andThen(logins.add("unavailable")),
              Effect.andThen(Effect.fail(providerAway)),
            ),
        }),
      ),
    )

    const signIns = login
      .handle("refresh", ({ payload, request }) =>
        noStore.pipe(
          Effect.andThen(limits.refresh(clientAddressOf(request))),
          Effect.andThen(sessions.refresh(payload.refreshToken)),
        ),
      )
      .handle("logout", ({ payload }) =>
        Effect.flatMap(CurrentPlayer, (caller) =>
          Effect.andThen(noStore, sessions.logout(caller, payload.refreshToken)),
        ),
      )

    return signIns.handle("history", ({ query }) =>
      Effect.gen(function* () {
        const caller = yield* CurrentPlayer
        const limit = query.limit ?? HISTORY_PAGE
        const page = yield* sql
          .history({
            userId: caller.userId,
            tokenId: caller.tokenId,
            after: query.after,
            limit: limit + 1,
          })
          .pipe(
            Effect.tapError((error) => Effect.logError("A history could not be read", error)),
            Effect.mapError(() => databaseAway),
          )
        if (page.revoked) return yield* new Unauthorized()
        const entries = page.entries.slice(0, limit)
        return {
          score: page.score,
          entries,
          next: page.entries.length > limit ? (entries.at(-1)?.id ?? null) : null,
        }
      }).pipe((page) => Effect.andThen(noStore, page)),
    )
  }),
)
