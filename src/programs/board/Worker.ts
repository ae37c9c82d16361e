import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { Sqs } from "../../services/Sqs/Sqs.ts"
import { measureHop } from "../observe/Freshness.ts"
import { linkTo } from "../observe/TraceContext.ts"
import { type Batch, makeQueuePoller, type QueuePoller } from "./QueuePoller.ts"
import { deleteMessages, partitionByType } from "./ReceivedMessages.ts"
import { Refresher } from "./Refresher.ts"

/** The time limit of a batch, from its arrival. Below the visibility timeout of 30 s, after which SQS redelivers it. */
const BATCH_LIMIT_MILLIS = 20_000

/** How long a worker that was told to stop may spend on what it has received: two calls that are not answered. */
const STOP_LIMIT = "5 seconds"

/** Between a failed refresh and the next one, while batches wait for it: 8 tries within about 6 s, with jitter. */
const refreshBackoff = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 7 }))

/**
 * The worker: six steps, repeated until it is told to stop. Batches that arrive while a board is under way share the
 * next one. If a step fails, the messages stay on the queue and SQS delivers them again: at-least-once.
 */
export const Worker = Layer.effectDiscard(
  Effect.gen(function* () {
    const sqs = yield* Sqs
    const { refresh } = yield* Refresher
    // 1. Long-poll the queue for batches of 10 messages.
    const poller = yield* makeQueuePoller({ receive: sqs.receive, showBoard: refresh(0) })

    const handle = Effect.fn("Worker.show")(function* (batches: ReadonlyArray<Batch>) {
      // 2. Filter the messages by their type.
      const { increments, others } = yield* partitionByType(batches.flatMap(({ messages }) => messages))
      if (increments.length > 0) {
        yield* linkTo(increments)
        // 3. Select the top 10 from PostgreSQL, 4. write it to its Redis key with a TTL of 1 minute, 5. publish it.
        yield* refresh(increments.length).pipe(
          Effect.onExit((exit) => poller.setBlocked(Exit.isFailure(exit))),
          Effect.retry(refreshBackoff),
        )
        yield* measureHop("worker-redis", ...batches.map(({ at }) => at))
      }
      // 6. Delete the messages.
      yield* deleteMessages(sqs, [...increments, ...others])
    })

    yield* Effect.acquireRelease(
      poller.batches.pipe(
        Stream.runForEachArray((batches) => survivingDefects("A batch")(inTime(batches, handle(batches)))),
        Effect.forkDetach,
      ),
      (running) => stop(poller, running),
    )
  }),
)

/** Gives up at the time limit of the oldest batch. Never fails: messages that are not deleted are redelivered. */
const inTime = <E>(batches: ReadonlyArray<Batch>, handled: Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    const deadline = Math.min(...batches.map(({ at }) => at)) + BATCH_LIMIT_MILLIS
    const left = Math.max(0, deadline - (yield* Clock.currentTimeMillis))
    yield* Effect.timeout(handled, left)
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning("Messages were not handled and will be redelivered", error).pipe(
        Effect.annotateLogs({ messages: batches.flatMap(({ messages }) => messages).length }),
      ),
    ),
  )

/** Receives nothing more, waits until what was received is handled, and interrupts the worker at the time limit. */
const stop = Effect.fnUntraced(function* (poller: QueuePoller, running: Fiber.Fiber<void>) {
  yield* poller.stop
  const ended = yield* Effect.timeoutOption(Fiber.await(running), STOP_LIMIT)
  if (Option.isSome(ended)) return
  yield* Effect.logWarning("The worker stops before all messages are handled; the others will be redelivered")
  yield* Fiber.interrupt(running)
})
