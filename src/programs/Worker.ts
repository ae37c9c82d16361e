import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { INCREMENT_TYPE, QueueMessage } from "../domain/Messages.ts"
import { type ReceivedMessage, Sqs, SQS_BATCH_SIZE } from "../services/Sqs/Sqs.ts"
import { measureHop } from "./Freshness.ts"
import { Refresher } from "./Refresher.ts"
import { surviving } from "./Surviving.ts"

/**
 * Long polls at one time under load: while one batch waits for its refresh, others arrive and share the next. A
 * receive that was not full says that one poller is enough, and messages gather for it meanwhile.
 */
const POLLERS = 4

/** A batch that is not done by then is left to be redelivered: below the visibility timeout of 30 s. */
const BATCH_LIMIT = "20 seconds"

/** Between a failed receive and the next: doubling from 200 ms, at most 5 s, jittered. */
const receiveBackoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
)

/** Between a failed refresh and the next, while the batch is held: 8 tries within about 6 s. */
const refreshBackoff = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 7 }))

/** How often a worker that could not show a board looks whether it can again. */
const UNSTUCK_EVERY = "1 second"

const received = Metric.counter("worker_messages_total", {
  description: "Messages received, by what became of them.",
  incremental: true,
})

const decodeType = Schema.decodeUnknownEffect(QueueMessage)

/** Which of a batch to delete, and whether the board may have changed. */
interface Sorted {
  readonly increments: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

/** Sorts a batch by `type`; what has none stays on the queue for its redrive policy. */
const sort = Effect.fnUntraced(function* (batch: ReadonlyArray<ReceivedMessage>) {
  const increments: Array<string> = []
  const others: Array<string> = []
  for (const message of batch) {
    const decoded = yield* Effect.result(decodeType(message.body))
    if (decoded._tag === "Failure") {
      yield* Effect.logError("A message has no type and is left on the queue").pipe(
        Effect.annotateLogs({ messageId: message.id, receiveCount: message.receiveCount }),
      )
      yield* Metric.update(Metric.withAttributes(received, { outcome: "malformed" }), 1)
    } else if (decoded.success.type === INCREMENT_TYPE) increments.push(message.receipt)
    else others.push(message.receipt)
  }
  yield* Metric.update(Metric.withAttributes(received, { outcome: "increment" }), increments.length)
  yield* Metric.update(Metric.withAttributes(received, { outcome: "other" }), others.length)
  return { increments, others } satisfies Sorted
})

/**
 * The worker: polls the queue, shows the top 10 after every batch of increments, deletes what was shown. A batch
 * is deleted only after its refresh; a failure leaves it to be redelivered.
 */
export const Worker = Layer.effectDiscard(
  Effect.gen(function* () {
    const sqs = yield* Sqs
    const refresher = yield* Refresher

    /** A message that comes again was fresh the first time; another sender's may have no time, or no number. */
    const measureArrival = (batch: ReadonlyArray<ReceivedMessage>) =>
      measureHop(
        "commit-worker",
        ...batch.flatMap(({ attributes, receiveCount }) => {
          const committedAt = Number(attributes["committedAt"] ?? Number.NaN)
          return receiveCount === 1 && Number.isFinite(committedAt) ? [committedAt] : []
        }),
      )

    const handleBatch = Effect.fn("Worker.handleBatch")(function* (batch: ReadonlyArray<ReceivedMessage>) {
      const receivedAt = yield* Clock.currentTimeMillis
      yield* measureArrival(batch)
      const { increments, others } = yield* sort(batch)
      if (increments.length > 0) {
        yield* Effect.retry(refresher.refresh, refreshBackoff)
        yield* measureHop("worker-redis", receivedAt)
      }
      const failed = yield* sqs.delete([...increments, ...others])
      if (failed.length > 0) {
        yield* Effect.logWarning("Messages could not be deleted and will come again", {
          count: failed.length,
        })
      }
    })

    let stuck = false
    const handle = (batch: ReadonlyArray<ReceivedMessage>) =>
      batch.length === 0
        ? Effect.void
        : handleBatch(batch).pipe(
            Effect.timeout(BATCH_LIMIT),
            Effect.catch((error) => {
              stuck = true
              return Effect.logWarning("A batch was not finished and will be redelivered", error).pipe(
                Effect.annotateLogs({ messages: batch.length }),
              )
            }),
          )

    // While no board can be shown nothing is received: every receive counts towards the dead-letter queue.
    const unstuck = Effect.suspend(() =>
      stuck ? Effect.retry(refresher.refresh, Schedule.spaced(UNSTUCK_EVERY)) : Effect.void,
    ).pipe(
      Effect.andThen(
        Effect.sync(() => {
          stuck = false
        }),
      ),
    )

    const busy = yield* Latch.make(false)
    const receive = sqs.receive.pipe(
      Effect.tapError((error) => Effect.logWarning("The queue could not be read", error)),
      Effect.retry(receiveBackoff),
      Effect.tap((batch) => (batch.length === SQS_BATCH_SIZE ? busy.open : busy.close)),
    )

    // Only the wait for messages can be interrupted: a batch that was received is finished first.
    const poll = (waitForTurn: Effect.Effect<void>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(waitForTurn.pipe(Effect.andThen(unstuck), Effect.andThen(receive))), handle),
      )
    const poller = (waitForTurn: Effect.Effect<void>) =>
      Stream.fromEffectSchedule(surviving("A poll")(poll(waitForTurn)), Schedule.forever)

    yield* Stream.mergeAll(
      Array.from({ length: POLLERS }, (_, n) => poller(n === 0 ? Effect.void : Effect.asVoid(busy.await))),
      { concurrency: POLLERS },
    ).pipe(Stream.runDrain, Effect.forkScoped)
  }),
)
