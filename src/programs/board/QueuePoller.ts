import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { type ReceivedMessage, SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { measureArrival } from "./ReceivedMessages.ts"
import type { RefreshFailure } from "./Refresher.ts"

/** Long polls at one time while the poller is busy. */
const POLLERS = 4

/** Batches that wait to be handled. When there are this many, the polls wait, so nothing more is received. */
const MAILBOX = 32

/** Between a failed receive and the next one: doubling from 200 ms to 5 s, with jitter. */
const receiveBackoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
)

/** How often a blocked poller tries whether a board can be shown again. */
const UNBLOCK_EVERY = "1 second"

/**
 * The poller is always in one of these modes:
 *
 * - `watching`: one long poll at a time. The mode at the start.
 *   A full batch (10 messages) says that more are waiting: go to `busy`.
 * - `busy`: four long polls at a time.
 *   A batch that is not full says that one poll is enough, since messages gather for it meanwhile: go to `watching`.
 * - `blocked`: no polls, because no board can be shown. A message that is received in vain comes closer to the
 *   dead-letter queue with every receive. Polls that are already under way are finished.
 *   Once a second the poller tries to show a board; when that succeeds: go to `watching`.
 * - `stopping`: no polls, for good. Waiting polls are interrupted, every batch that was received is passed on, and
 *   then `batches` ends.
 */
type Mode = "watching" | "busy" | "blocked" | "stopping"

/** The messages of one receive, and when they arrived, in milliseconds since 1970. */
export interface Batch {
  readonly messages: ReadonlyArray<ReceivedMessage>
  readonly at: number
}

export interface QueuePoller {
  /** Polls while it runs, so run it once. Gives all waiting batches together; ends after `stop`. */
  readonly batches: Stream.Stream<Batch>
  /** Tells the poller whether the last board could be shown. */
  setBlocked(isBlocked: boolean): Effect.Effect<void>
  /** Goes to `stopping` and returns at once. Idempotent. */
  readonly stop: Effect.Effect<void>
}

/** Makes a poller. `receive` is one long poll; `showBoard` succeeds when a board can be shown. */
export const makeQueuePoller = Effect.fnUntraced(function* (options: {
  readonly receive: Effect.Effect<ReadonlyArray<ReceivedMessage>, SqsFailure>
  readonly showBoard: Effect.Effect<void, RefreshFailure>
}): Effect.fn.Return<QueuePoller> {
  let mode: Mode = "watching"
  const busy = yield* Latch.make(false)
  const stopping = yield* Latch.make(false)

  const enter = (next: Mode) =>
    Effect.suspend(() => {
      if (mode === "stopping") return Effect.void
      mode = next
      if (next === "stopping") return stopping.open
      return next === "busy" ? busy.open : busy.close
    })
  const setBlocked = (isBlocked: boolean) =>
    Effect.suspend(() => {
      if (isBlocked) return enter("blocked")
      return mode === "blocked" ? enter("watching") : Effect.void
    })

  // Neither this schedule nor `receiveBackoff` ends, so no failure is left after them.
  const unblock = options.showBoard.pipe(
    Effect.retry(Schedule.spaced(UNBLOCK_EVERY)),
    Effect.orDie,
    Effect.andThen(setBlocked(false)),
  )
  // The first of the four polls runs in every mode; in `blocked` it waits until a board can be shown.
  const firstTurn = Effect.suspend(() => (mode === "blocked" ? unblock : Effect.void))
  // The other three run only in `busy`.
  const turns = Array.from({ length: POLLERS }, (_, n) => (n === 0 ? firstTurn : busy.await))

  const receive = options.receive.pipe(
    Effect.tapError((error) => Effect.logWarning("The queue could not be read", error)),
    Effect.retry(receiveBackoff),
    Effect.orDie,
    Effect.tap(({ length }) =>
      Effect.suspend(() => {
        if (mode === "blocked") return Effect.void
        return enter(length === SQS_BATCH_SIZE ? "busy" : "watching")
      }),
    ),
  )

  const poll = Effect.fnUntraced(function* (turn: Effect.Effect<unknown>, mailbox: Queue.Enqueue<Batch>) {
    // A stop interrupts only the wait for messages; messages that were received are passed on.
    const messages = yield* Effect.raceFirst(Effect.andThen(turn, receive), Effect.as(stopping.await, []))
    if (messages.length === 0) return
    yield* measureArrival(messages)
    yield* Queue.offer(mailbox, { messages, at: yield* Clock.currentTimeMillis })
    // The handler takes the batch before the next poll begins, also if the queue answers without a wait.
    yield* Effect.yieldNow
  })

  const batches = Stream.callback<Batch>(
    (mailbox) =>
      Effect.forEach(
        turns,
        (turn) =>
          survivingDefects("A poll")(poll(turn, mailbox)).pipe(
            Effect.repeat({ until: () => mode === "stopping" }),
          ),
        { concurrency: POLLERS, discard: true },
      ).pipe(Effect.andThen(Queue.end(mailbox))),
    { bufferSize: MAILBOX, strategy: "suspend" },
  )

  return { batches, setBlocked, stop: enter("stopping") }
})
