import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { MemoryQueue } from "./SqsMemoryQueue.ts"
import type { GivenUp } from "./SqsMemoryQueue.ts"
import { type OutgoingMessage, Sqs } from "./Sqs.ts"
import { withBatchLimits } from "./SqsBatchLimits.ts"

export interface MemoryQueueOptions {
  /** The most messages of one receive: 10, as in SQS. */
  readonly batchSize: number
  /** How long a receive waits for a first message: 20 s, as of `SQS_WAIT_SECONDS`. */
  readonly wait: Duration.Input
  /** How long a received message is kept from other receives: 30 s, the default of SQS. */
  readonly visibilityTimeout: Duration.Input
  /** A message received this often and not deleted becomes a dead letter: 5. */
  readonly maxReceiveCount: number
  /** Messages held in all, received ones included; more are not accepted: 100,000, about 50 MB. */
  readonly maxMessages: number
  /** Dead letters kept; the oldest make room: 1,000. */
  readonly maxDeadLetters: number
}

const defaults: MemoryQueueOptions = {
  batchSize: 10,
  wait: "20 seconds",
  visibilityTimeout: "30 seconds",
  maxReceiveCount: 5,
  maxMessages: 100_000,
  maxDeadLetters: 1_000,
}

/**
 * A queue in this process that keeps the rules of SQS: at least once, hidden while it is worked on, given up after
 * `maxReceiveCount`. It never fails. `deadLetters` gives what was given up, oldest first.
 */
export const makeMemory = Effect.fnUntraced(function* (overrides: Partial<MemoryQueueOptions>) {
  const options = { ...defaults, ...overrides }
  const waitMillis = Duration.toMillis(options.wait)
  const visibilityMillis = Duration.toMillis(options.visibilityTimeout)
  const queue = new MemoryQueue({ ...options, visibilityMillis })
  const arrivals = yield* Latch.make(false)
  const deadLetters: Array<OutgoingMessage> = []

  // The warning names a few ids only: an outage of the worker can give up thousands at once.
  const giveUp = (messages: ReadonlyArray<GivenUp>) => {
    if (messages.length === 0) return Effect.void
    for (const { message } of messages) deadLetters.push(message)
    const dropped = deadLetters.splice(0, Math.max(0, deadLetters.length - options.maxDeadLetters)).length
    const ids = messages.slice(0, options.batchSize).map(({ id }) => id)
    return Effect.logWarning(`Gave up messages after ${options.maxReceiveCount} receives`).pipe(
      Effect.annotateLogs({ messages: messages.length, ids: ids.join(" "), dropped }),
    )
  }

  const receive = Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) + waitMillis
    while (true) {
      const now = yield* Clock.currentTimeMillis
      yield* giveUp(queue.expire(now))
      // From here to the wait nothing is awaited: a send cannot fall between the look and the closed latch.
      const messages = queue.take(options.batchSize, now)
      if (messages.length > 0 || now >= deadline) return messages
      arrivals.closeUnsafe()
      const wakeAt = Math.min(deadline, queue.nextExpiry ?? deadline)
      yield* arrivals.await.pipe(Effect.timeoutOption(wakeAt - now))
    }
  })

  const service: Sqs["Service"] = {
    send: (messages) =>
      Effect.sync(() => {
        const refused = messages.flatMap((message, index) => (queue.offer(message) ? [] : [index]))
        arrivals.openUnsafe()
        return refused
      }),
    receive,
    delete: (receipts) =>
      Effect.sync(() => {
        for (const receipt of receipts) queue.delete(receipt)
        return []
      }),
    check: Effect.void,
  }
  return { service, deadLetters: Effect.sync(() => deadLetters.slice()) }
})

/** A queue in this process, emptied with it, under the rules of SQS. */
export const layerWith = (options: Partial<MemoryQueueOptions>) =>
  Layer.effect(
    Sqs,
    Effect.map(makeMemory(options), (queue) => withBatchLimits(queue.service)),
  )

/** `layerWith` the defaults of `MemoryQueueOptions`. */
export const layer = layerWith({})
