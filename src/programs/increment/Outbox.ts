import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { encodeIncrement } from "../../domain/Messages.ts"
import type { UserId } from "../../domain/Score.ts"
import { measureHop } from "../observe/Freshness.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { type OutgoingMessage, Sqs, SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** Commits waiting to be sent; more than that are left to the sweep. */
const MAILBOX = 1000

/** Commits whose messages are sent together, so that calls of 10 are full even when commits are small. */
const COMMITS_PER_SEND = 20

/**
 * From the end of one send to the next: what is committed meanwhile shares a call. A lone commit is sent at once, and
 * boards are shown every 20 ms at most.
 */
const PAUSE = "10 millis"

/** Calls to SQS at one time. */
const SEND_CONCURRENCY = 4

/** How often the rows that nobody sent are looked for. */
const SWEEP_EVERY = "2 seconds"

/** Rows of one sweep, and how long they are this process's own: above the time limit of a send. */
const SWEEP = { limit: 50, leaseSeconds: 10 }

/** Commits whose rows were not deleted yet; more than that are left to the sweep, which sends them again. */
const SENT_MAILBOX = 10_000

/** How often the rows of what was sent are deleted. A crash in between sends that much twice. */
const DELETE_EVERY = "200 millis"

/** What a stopping process may spend on sending what is left; the rest is swept up elsewhere. */
const LAST_SEND_LIMIT = "2 seconds"

const messages = labelledCounter({
  name: "outbox_messages_total",
  description: "Messages of committed increments, by what became of them here.",
  label: "outcome",
  values: ["sent", "kept"],
})

/** One commit whose messages are to be sent. */
export interface Commit {
  readonly outboxId: string
  /** When it was committed, in milliseconds since 1970. */
  readonly committedAt: number
  readonly events: ReadonlyArray<{
    readonly id: string
    readonly userId: UserId
    readonly email: string
    /** The request's span by its W3C name, where spans are collected. Not kept in the table: a sweep has none. */
    readonly traceparent?: string
  }>
}

/** Owns the way from a commit to the queue: every message is sent at least once, and nobody waits for it. */
export class Outbox extends Context.Service<
  Outbox,
  {
    /** Sends a commit's messages soon. Never fails and never waits: what is not taken is swept up later. */
    offer(commit: Commit): void
  }
>()("scoreboard/programs/Outbox") {
  static readonly layer = Layer.effect(
    Outbox,
    Effect.suspend(() => make),
  )
}

const toMessage = (commit: Commit, event: Commit["events"][number]): OutgoingMessage => ({
  body: encodeIncrement(event),
  attributes: {
    eventId: event.id,
    committedAt: String(commit.committedAt),
    ...(event.traceparent === undefined ? undefined : { traceparent: event.traceparent }),
  },
})

const make = Effect.gen(function* () {
  const sql = yield* Sql
  const sqs = yield* Sqs
  const mailbox = yield* Queue.dropping<Commit>(MAILBOX)
  const sentIds = yield* Queue.dropping<string>(SENT_MAILBOX)

  /** Sends all messages of the commits; those of which every message was taken are deleted soon. Whether all were. */
  const send = Effect.fn("Outbox.send")(function* (commits: ReadonlyArray<Commit>) {
    const all = commits.flatMap((commit) =>
      commit.events.map((event) => ({ outboxId: commit.outboxId, message: toMessage(commit, event) })),
    )
    const kept = new Set<string>()
    let failure: SqsFailure | undefined
    yield* Effect.forEach(
      Arr.chunksOf(all, SQS_BATCH_SIZE),
      (call) =>
        // After one failure the others would only wait for the same one, for minutes and at a shutdown, too.
        Effect.suspend(() =>
          failure === undefined ? sqs.send(call.map(({ message }) => message)) : Effect.fail(failure),
        ).pipe(
          Effect.match({
            onSuccess: (refused) => refused.map((index) => call[index]?.outboxId),
            onFailure: (error) => {
              failure = error
              return call.map(({ outboxId }) => outboxId)
            },
          }),
          Effect.map((unsent) => {
            for (const id of unsent) if (id !== undefined) kept.add(id)
          }),
        ),
      { concurrency: SEND_CONCURRENCY, discard: true },
    )
    const sent = commits.filter((commit) => !kept.has(commit.outboxId))
    yield* measureHop("commit-queue", ...sent.map((commit) => commit.committedAt))
    const unsent = all.filter(({ outboxId }) => kept.has(outboxId)).length
    yield* messages.add("sent", all.length - unsent)
    yield* messages.add("kept", unsent)
    yield* Queue.offerAll(
      sentIds,
      sent.map(({ outboxId }) => outboxId),
    )
    if (kept.size > 0) yield* Effect.logWarning("Messages were not sent and stay in the outbox", failure)
    return kept.size === 0
  })

  const logged = Effect.catch((error: unknown) =>
    Effect.logWarning("The outbox could not be worked on", error),
  )

  const deleteSent = (ids: ReadonlyArray<string>) => logged(sql.deleteOutbox(ids))

  // Last of all what is still waiting is sent, so that a deploy leaves nothing to the next sweep of another process.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const commits = yield* Queue.clear(mailbox)
      if (commits.length > 0) yield* send(commits)
      const ids = yield* Queue.clear(sentIds)
      if (ids.length > 0) yield* deleteSent(ids)
    }).pipe(Effect.timeoutOption(LAST_SEND_LIMIT)),
  )

  const deleter = Effect.gen(function* () {
    const ids = yield* Queue.takeBetween(sentIds, 1, SENT_MAILBOX)
    yield* Effect.uninterruptible(deleteSent(ids))
    yield* Effect.sleep(DELETE_EVERY)
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("Deleting")(deleter)))

  const sender = Effect.gen(function* () {
    const commits = yield* Queue.takeBetween(mailbox, 1, COMMITS_PER_SEND)
    yield* Effect.uninterruptible(send(commits))
    yield* Effect.sleep(PAUSE)
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("Sending")(sender)))

  const sweep = Effect.gen(function* () {
    const rows = yield* sql.leaseOutbox(SWEEP)
    if (rows.length === 0) return false
    const sent = yield* send(
      rows.map((row) => ({ outboxId: row.id, committedAt: row.committedAt, events: row.messages })),
    )
    return sent && rows.length === SWEEP.limit
  })
  // A full lease that was all sent: there may be more, and SQS takes it.
  const sweeps = logged(Effect.repeat(sweep, { while: (more) => more }))
  yield* Effect.forkScoped(
    Effect.repeat(survivingDefects("A sweep")(sweeps), Schedule.jittered(Schedule.spaced(SWEEP_EVERY))),
  )

  return Outbox.of({
    offer: (commit) => {
      Queue.offerUnsafe(mailbox, commit)
    },
  })
})
