import * as Effect from "effect/Effect"
import { type Sqs, SQS_BATCH_SIZE, type SqsFailure } from "./Sqs.ts"

/** No entries need no call; more than SQS takes is a mistake in this program and dies. */
const oneBatch =
  <A, B>(
    operation: string,
    call: (entries: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, SqsFailure>,
  ) =>
  (entries: ReadonlyArray<A>): Effect.Effect<ReadonlyArray<B>, SqsFailure> => {
    if (entries.length === 0) return Effect.succeed([])
    if (entries.length <= SQS_BATCH_SIZE) return call(entries)
    return Effect.die(
      new RangeError(`Sqs.${operation} takes at most ${SQS_BATCH_SIZE} entries, not ${entries.length}`),
    )
  }

/** A service that never passes on an empty or an oversized batch. */
export const withBatchLimits = (service: Sqs["Service"]): Sqs["Service"] => ({
  ...service,
  send: oneBatch("send", service.send),
  delete: oneBatch("delete", service.delete),
})
