import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { makeModeration, moderated } from "../../foundation/Moderation.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { makeDeleter } from "./OutboxDeleter.ts"
import { type Commit, makeSend } from "./OutboxSender.ts"

/** Commits waiting to be sent; further ones are left to the sweep. */
const MAILBOX = 1000

/** Commits whose messages are sent together, so that calls of 10 are full even when commits are small. */
const COMMITS_PER_SEND = 20

/**
 * How sends are moderated. A lone commit is sent at once. A call to SQS takes 10 messages, so messages that come
 * quickly share one. Ten milliseconds are half of the refresher's pause, so they never delay a board by a whole round.
 */
const MODERATION = { longestMillis: 10, pausePerCost: 1, mergeMillis: 10 }

/** How often the sweep looks for rows that nobody sent. */
const SWEEP_EVERY = "2 seconds"

/** Rows of one sweep, and how long their lease lasts: longer than the time limit of a send. */
const SWEEP = { limit: 50, leaseSeconds: 10 }

/** What a stopping process may spend on sending what is left; another process sweeps up the rest. */
const LAST_SEND_LIMIT = "2 seconds"

/** Delivers the messages of commits to the queue at least once; nobody waits for that. */
export class Outbox extends Context.Service<
  Outbox,
  {
    /** Sends a commit's messages soon. Never fails and never waits: what does not fit is swept up later. */
    offer(commit: Commit): void
  }
>()("scoreboard/programs/Outbox") {
  static readonly layer = Layer.effect(
    Outbox,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const sql = yield* Sql
  const send = yield* makeSend
  const deleter = yield* makeDeleter
  const mailbox = yield* Queue.dropping<Commit>(MAILBOX)
  const moderation = makeModeration(MODERATION)

  /** Sends commits, and has the rows of those deleted that SQS took completely. Gives whether it took all. */
  const deliver = Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const { sentIds, complete } = yield* send(commits)
    yield* deleter.add(sentIds)
    return complete
  })

  /** One turn of the sender: waits for commits, sends them, and pauses. A send that began is finished. */
  const sendTurn = Effect.gen(function* () {
    const commits = yield* Queue.takeBetween(mailbox, 1, COMMITS_PER_SEND)
    const messages = commits.reduce((sum, { events }) => sum + events.length, 0)
    yield* moderated(moderation, Effect.as(Effect.uninterruptible(deliver(commits)), messages))
  })

  /** Leases rows that nobody sent in time, and sends them. Gives whether to continue: SQS took all, and there may be more. */
  const sweepOnce = Effect.gen(function* () {
    const leased = yield* sql.leaseOutbox(SWEEP)
    if (leased.length === 0) return false
    const complete = yield* deliver(
      leased.map(({ id, committedAt, messages }) => ({ outboxId: id, committedAt, events: messages })),
    )
    return complete && leased.length === SWEEP.limit
  })
  const sweep = Effect.repeat(sweepOnce, { while: (more) => more }).pipe(
    Effect.catch((error) => Effect.logWarning("The outbox could not be swept", error)),
  )

  /** Sends what still waits, so that a deploy leaves nothing to the next sweep of another process. */
  const flush = Effect.gen(function* () {
    const commits = yield* Queue.clear(mailbox)
    if (commits.length > 0) yield* deliver(commits)
    yield* deleter.flush
  })

  // Finalizers run in reverse: the loops below stop first, then the flush runs.
  yield* Effect.addFinalizer(() => Effect.timeoutOption(flush, LAST_SEND_LIMIT))
  yield* Effect.forkScoped(Effect.forever(survivingDefects("Deleting")(deleter.turn)))
  yield* Effect.forkScoped(Effect.forever(survivingDefects("Sending")(sendTurn)))
  yield* Effect.forkScoped(
    Effect.repeat(survivingDefects("A sweep")(sweep), Schedule.jittered(Schedule.spaced(SWEEP_EVERY))),
  )

  return Outbox.of({
    offer: (commit) => {
      Queue.offerUnsafe(mailbox, commit)
    },
  })
})
