import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import { providerUnavailable, Unauthorized } from "../../domain/Errors.ts"
import { Authorization, CurrentPlayer } from "../../domain/ScoreboardApi.ts"
import { Cognito } from "../../services/Cognito/Cognito.ts"
import { clientAddressOf, Limits } from "./Limits.ts"
import { logAndFailWith } from "./PublicFailure.ts"

const rejected = Metric.counter("tokens_rejected_total", {
  description: "Requests whose access token was missing or refused.",
  incremental: true,
})

/** Verifies the access token of a request and runs its handler as the player that the token names. */
export const AuthorizationLayer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const cognito = yield* Cognito
    const limits = yield* Limits
    const reject = Effect.gen(function* () {
      yield* Metric.update(rejected, 1)
      yield* limits.unauthorized(clientAddressOf(yield* HttpServerRequest.HttpServerRequest))
      return yield* new Unauthorized()
    })
    return Authorization.of({
      bearer: (app, { credential }) => {
        const accessToken = Redacted.value(credential)
        // Without a Bearer header the middleware runs, too, with an empty credential.
        if (accessToken === "") return reject
        return cognito.verify(accessToken).pipe(
          Effect.catchTags({
            TokenRejected: () => reject,
            CognitoFailure: logAndFailWith("An access token could not be checked", providerUnavailable),
          }),
          Effect.flatMap((claims) => Effect.provideService(app, CurrentPlayer, { ...claims, accessToken })),
        )
      },
    })
  }),
)
