import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type ReceivedMessage, Sqs, SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { measureHop } from "../observe/Freshness.ts"
import { measureArrival, partitionByType } from "./ReceivedMessages.ts"
import { Refresher } from "./Refresher.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { linkTo } from "../observe/TraceContext.ts"

/**
 * Long polls at one time under load. A receive that was not full says that one poller is enough, and messages gather
 * for it meanwhile.
 */
const POLLERS = 4

/** Batches received that wait to be shown; when it is full nothing more is received. */
const MAILBOX = 32

/** Calls that delete messages at one time. */
const DELETES = 4

/** A batch that is not done by then is left to be redelivered: below the visibility timeout of 30 s. */
const BATCH_LIMIT_MILLIS = 20_000

/** What a worker that was told to stop may still spend on what it has: two calls that nobody answers. */
const STOP_LIMIT_MILLIS = 5_000

/** Between a failed receive and the next: doubling from 200 ms, at most 5 s, jittered. */
const receiveBackoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("5 seconds")]).pipe(
  Schedule.jittered,
)

/** Between a failed refresh and the next, while batches are held: 8 tries within about 6 s. */
const refreshBackoff = Schedule.exponential("50 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 7 }))

/** How often a worker that could not show a board looks whether it can again. */
const UNSTUCK_EVERY = "1 second"

/** Messages of one receive, and when they came, in milliseconds since 1970. */
interface Batch {
  readonly messages: ReadonlyArray<ReceivedMessage>
  readonly at: number
}

/**
 * The worker: polls the queue, shows the top 10 after every batch of increments, deletes what was shown. Batches that
 * come while a board is on its way share the next one. A failure leaves them to be redelivered.
 */
export const Worker = Layer.effectDiscard(
  Effect.gen(function* () {
    const sqs = yield* Sqs
    const refresher = yield* Refresher
    const mailbox = yield* Queue.bounded<Batch>(MAILBOX)

    let stuck = false
    const refresh = refresher.refresh.pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          stuck = Exit.isFailure(exit)
        }),
      ),
    )

    const forget = (messages: ReadonlyArray<ReceivedMessage>) =>
      Effect.forEach(
        Arr.chunksOf(messages, SQS_BATCH_SIZE),
        (some) =>
          sqs.delete(some.map(({ receipt }) => receipt)).pipe(
            Effect.flatMap((failed) => (failed.length === 0 ? Effect.void : logWillRedeliver(failed.length))),
            Effect.catch((error) => logWillRedeliver(some.length, error)),
          ),
        { concurrency: DELETES, discard: true },
      )

    const show = Effect.fn("Worker.show")(function* (batches: ReadonlyArray<Batch>) {
      const { increments, others } = yield* partitionByType(batches.flatMap(({ messages }) => messages))
      if (increments.length > 0) {
        yield* linkTo(increments)
        yield* Effect.retry(refresh, refreshBackoff)
        yield* measureHop("worker-redis", ...batches.map(({ at }) => at))
      }
      yield* forget([...increments, ...others])
    })

    let stoppedAt = Number.POSITIVE_INFINITY
    const stopping = yield* Latch.make(false)
    const outOfTime = (batches: ReadonlyArray<Batch>) => {
      const after = (since: number, millis: number) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, since + millis - now)))
      const oldest = Math.min(...batches.map(({ at }) => at))
      return Effect.raceFirst(
        after(oldest, BATCH_LIMIT_MILLIS),
        Effect.andThen(
          stopping.await,
          Effect.suspend(() => after(stoppedAt, STOP_LIMIT_MILLIS)),
        ),
      ).pipe(Effect.andThen(Effect.fail(new Cause.TimeoutError("There was no time left"))))
    }

    const handle = (batches: ReadonlyArray<Batch>) =>
      Effect.raceFirst(show(batches), outOfTime(batches)).pipe(
        Effect.catch((error) =>
          Effect.logWarning("Messages were not handled and will be redelivered", error).pipe(
            Effect.annotateLogs({ messages: batches.flatMap(({ messages }) => messages).length }),
          ),
        ),
      )

    // Last of all what is still waiting is shown: it was received, so nobody else gets it for a while.
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Queue.clear(mailbox), (left) => (left.length === 0 ? Effect.void : handle(left))),
    )
    const handler = Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(Queue.takeBetween(mailbox, 1, MAILBOX)), handle),
    )
    yield* Effect.forkScoped(Effect.forever(survivingDefects("A batch")(handler)))

    // While no board can be shown nothing is received: every receive counts towards the dead-letter queue.
    const unstuck = Effect.suspend(() =>
      stuck ? Effect.retry(refresh, Schedule.spaced(UNSTUCK_EVERY)) : Effect.void,
    )

    const busy = yield* Latch.make(false)
    const receive = sqs.receive.pipe(
      Effect.tapError((error) => Effect.logWarning("The queue could not be read", error)),
      Effect.retry(receiveBackoff),
      Effect.tap((messages) => (messages.length === SQS_BATCH_SIZE ? busy.open : busy.close)),
    )

    const take = Effect.fnUntraced(function* (messages: ReadonlyArray<ReceivedMessage>) {
      if (messages.length === 0) return
      yield* measureArrival(messages)
      yield* Queue.offer(mailbox, { messages, at: yield* Clock.currentTimeMillis })
    })

    // Only the wait for messages can be interrupted: what was received is handled.
    const poll = (waitForTurn: Effect.Effect<void>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(waitForTurn.pipe(Effect.andThen(unstuck), Effect.andThen(receive))), take),
      )
    const poller = (waitForTurn: Effect.Effect<void>) =>
      Stream.fromEffectSchedule(survivingDefects("A poll")(poll(waitForTurn)), Schedule.forever)

    yield* Stream.mergeAll(
      Array.from({ length: POLLERS }, (_, n) => poller(n === 0 ? Effect.void : Effect.asVoid(busy.await))),
      { concurrency: POLLERS },
    ).pipe(Stream.runDrain, Effect.forkScoped)

    // Added last, so run first: from now on time is short.
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        stoppedAt = now
        return stopping.open
      }),
    )
  }),
)

const logWillRedeliver = (messages: number, error?: SqsFailure) =>
  Effect.logWarning("Messages could not be deleted and will come again", error).pipe(
    Effect.annotateLogs({ messages }),
  )
