import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import { noStore } from "./CacheControl.ts"
import { makeHistory } from "./History.ts"
import { clientAddressOf, Limits } from "./Limits.ts"
import { makeSessions } from "./Sessions.ts"

/** `POST /users/auth/login`, `…/refresh` and `…/logout`, and `GET /users/me/history` */
export const UsersHandlers = HttpApiBuilder.group(HandledApi, "users", (handlers) =>
  Effect.gen(function* () {
    const limits = yield* Limits
    const sessions = yield* makeSessions
    const history = yield* makeHistory
    return handlers
      .handle("login", ({ payload, request }) =>
        noStore.pipe(
          Effect.andThen(limits.login(payload.email, clientAddressOf(request))),
          Effect.andThen(sessions.login(payload.email, payload.password)),
        ),
      )
      .handle("refresh", ({ payload, request }) =>
        noStore.pipe(
          Effect.andThen(limits.refresh(clientAddressOf(request))),
          Effect.andThen(sessions.refresh(payload.refreshToken)),
        ),
      )
      .handle("logout", ({ payload }) =>
        noStore.pipe(
          Effect.andThen(CurrentPlayer),
          Effect.flatMap((caller) => sessions.logout(caller, payload.refreshToken)),
        ),
      )
      .handle("history", ({ query }) =>
        noStore.pipe(
          Effect.andThen(CurrentPlayer),
          Effect.flatMap((caller) => history(caller, query)),
        ),
      )
  }),
)
