import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { InvalidReceipt, Unavailable } from "../../domain/Errors.ts"
import { type Caller, CurrentPlayer, HandledApi } from "../../domain/ScoreboardApi.ts"
import { Receipts } from "../../services/Receipts.ts"
import { Increment } from "../increment/Increment.ts"
import { Limits } from "./Limits.ts"
import { logAndFailWith } from "./PublicFailure.ts"

const incremented = { message: "Score incremented" } as const

const receiptKeysUnavailable = new Unavailable({ dependency: "receipt keys", retryAfterSeconds: 5 })

interface IncrementHeaders {
  readonly "idempotency-key"?: string
  readonly "action-receipt"?: string
}

/** Gives the key under which an increment counts once. The id of a receipt is one that no client can choose. */
const makeKeyOf = Effect.map(
  Receipts,
  (receipts) =>
    (
      caller: Caller,
      headers: IncrementHeaders,
    ): Effect.Effect<string | undefined, InvalidReceipt | Unavailable> => {
      if (!receipts.required) return Effect.succeed(headers["idempotency-key"])
      return receipts.verify(headers["action-receipt"] ?? "", caller.userId).pipe(
        Effect.map((id) => `receipt:${id}`),
        Effect.catchTags({
          ReceiptRejected: ({ reason }) =>
            Effect.andThen(
              Effect.logInfo("A receipt was refused", { reason }),
              Effect.fail(new InvalidReceipt()),
            ),
          ReceiptFailure: logAndFailWith("A receipt could not be checked", receiptKeysUnavailable),
        }),
      )
    },
)

/** `POST /scores/increment` */
export const ScoresHandlers = HttpApiBuilder.group(HandledApi, "scores", (handlers) =>
  Effect.gen(function* () {
    const limits = yield* Limits
    const keyOf = yield* makeKeyOf
    const increment = yield* Increment
    return handlers.handle("increment", ({ headers }) =>
      Effect.flatMap(CurrentPlayer, (caller) =>
        limits.increment(caller.userId).pipe(
          Effect.andThen(keyOf(caller, headers)),
          Effect.flatMap((key) => increment.raise(caller, key)),
          Effect.as(incremented),
        ),
      ),
    )
  }),
)
