import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { INCREMENT_TYPE, QueueMessage } from "../../domain/Messages.ts"
import { SQS_BATCH_SIZE, type SqsFailure } from "../../services/Sqs/Sqs.ts"
import { type DeadLetter, SqsDeadLetters } from "../../services/Sqs/SqsDeadLetters.ts"
import { refuse } from "./AdminRefused.ts"
import { AdminUnanswered } from "./AdminUnanswered.ts"
import { asJson, atMost } from "./Answers.ts"

/** So many receives in a row without a new message end a run: the others are hidden, or come again. */
const STALE_RECEIVES = 3

const decodeMessage = Schema.decodeUnknownOption(QueueMessage)

/** The words of `worker_messages_total`: only an increment is ours. */
const kindOf = ({ body }: DeadLetter) => {
  const message = decodeMessage(body)
  if (Option.isNone(message)) return "malformed"
  return message.value.type === INCREMENT_TYPE ? "increment" : "other"
}

/** One message of the answer. Its body may have addresses, and is there only if the operator asked for it. */
const shownOf = (letter: DeadLetter, withBody: boolean) => ({
  id: letter.id,
  kind: kindOf(letter),
  sentAt: letter.sentAt ?? null,
  receives: letter.receiveCount,
  bytes: new TextEncoder().encode(letter.body).length,
  ...(withBody ? { body: letter.body } : {}),
})
type Shown = ReturnType<typeof shownOf>

const describe = ({ body, bytes, id, kind, receives, sentAt }: Shown) =>
  `${id}  ${kind}, sent ${sentAt ?? "-"}, received ${receives} times, ${bytes} bytes${body === undefined ? "" : `\n  ${JSON.stringify(body)}`}`

const unanswered = (failure: SqsFailure) =>
  new AdminUnanswered({
    message: `SQS (${failure.operation}): ${failure.cause instanceof Error ? failure.cause.message : String(failure.cause)}`,
  })

/**
 * Receives up to `limit` different messages, gives them to `each` as they come, and at the end, also after a failure or
 * an interruption, makes those visible again that `each` returns.
 */
const receiveAll = Effect.fnUntraced(function* <E>(
  limit: number,
  each: (letters: ReadonlyArray<DeadLetter>) => Effect.Effect<ReadonlyArray<DeadLetter>, E>,
) {
  const queue = yield* SqsDeadLetters
  const seen = new Set<string>()
  const held = new Map<string, DeadLetter>()
  const release = Effect.suspend(() => {
    const letters = [...held.values()]
    const batches = Array.from({ length: Math.ceil(letters.length / SQS_BATCH_SIZE) }, (_, at) =>
      letters.slice(at * SQS_BATCH_SIZE, (at + 1) * SQS_BATCH_SIZE),
    )
    return Effect.forEach(batches, (batch) => queue.release(batch), { discard: true }).pipe(
      Effect.catch((failure) =>
        Console.error(`${unanswered(failure).message}: what is left stays hidden for a minute`),
      ),
    )
  })
  // Not interrupted: what an aborted receive was given would stay hidden for a minute, also from the next run.
  const receiveSome = (most: number) =>
    queue.receive(most).pipe(
      Effect.tap((letters) =>
        Effect.sync(() => {
          for (const letter of letters) held.set(letter.id, letter)
        }),
      ),
      Effect.uninterruptible,
    )
  const receive = Effect.gen(function* () {
    for (let stale = 0; seen.size < limit && stale < STALE_RECEIVES;) {
      const letters = yield* receiveSome(Math.min(SQS_BATCH_SIZE, limit - seen.size))
      if (letters.length === 0) return
      const fresh = letters.filter(({ id }) => !seen.has(id))
      for (const { id } of fresh) seen.add(id)
      stale = fresh.length === 0 ? stale + 1 : 0
      if (fresh.length === 0) continue
      const kept = new Set(yield* each(fresh))
      for (const letter of fresh) if (!kept.has(letter)) held.delete(letter.id)
    }
  })
  yield* Effect.ensuring(receive, release)
})

const listLetters = Effect.fnUntraced(
  function* (flags: { readonly json: boolean; readonly limit: number; readonly bodies: boolean }) {
    const queue = yield* SqsDeadLetters
    const held = yield* queue.held
    const messages: Array<Shown> = []
    yield* receiveAll(flags.limit, (letters) =>
      Effect.as(
        Effect.forEach(letters, (letter) => {
          const shown = shownOf(letter, flags.bodies)
          messages.push(shown)
          return flags.json ? Effect.void : Console.log(describe(shown))
        }),
        letters,
      ),
    )
    yield* Console.log(
      flags.json
        ? JSON.stringify({ queue: queue.url, held, messages })
        : `dead letters: about ${held}, listed: ${messages.length}`,
    )
  },
  Effect.catchTag("SqsFailure", (failure) => Effect.fail(unanswered(failure))),
)

/** `admin dead-letters list [--json] [--limit N] [--bodies]` */
export const deadLettersList = Command.make(
  "list",
  {
    json: asJson,
    limit: atMost("limit", 1_000, 10, "How many messages to look at"),
    bodies: Flag.Boolean("bodies").pipe(
      Flag.withDescription("Also the body of each message, which may have addresses"),
      Flag.withDefault(false),
    ),
  },
  listLetters,
).pipe(
  Command.withDescription(
    "List messages of the dead-letter queue, and leave them there. They are hidden from others meanwhile, and SQS counts " +
      "one more receive",
  ),
  Command.withExamples([
    { command: "npm run admin -- dead-letters list --limit 100", description: "What is there" },
    {
      command:
        "npm run -s admin -- dead-letters list --json | jq '.messages[] | select(.kind != \"increment\")'",
      description: "What other programs sent",
    },
  ]),
)

/**
 * What became of one message: `redriven`; `copied` = sent to the queue, but not deleted, so the next run sends it once
 * more; `refused` = SQS did not take it; `left` = not ours.
 */
type Outcome = "redriven" | "copied" | "refused" | "left"

/** Sends ours to the queue, then deletes what SQS took. */
const moveOurs = Effect.fnUntraced(function* (letters: ReadonlyArray<DeadLetter>) {
  const queue = yield* SqsDeadLetters
  const outcomes = new Map<DeadLetter, Outcome>(letters.map((letter) => [letter, "left"]))
  const ours = letters.filter((letter) => kindOf(letter) === "increment")
  if (ours.length === 0) return { outcomes, failure: undefined }
  const refused = new Set(yield* queue.send(ours))
  const sent = ours.filter((_, index) => !refused.has(index))
  for (const letter of ours) outcomes.set(letter, sent.includes(letter) ? "copied" : "refused")
  if (sent.length === 0) return { outcomes, failure: undefined }
  const deleted = yield* Effect.result(queue.delete(sent))
  if (deleted._tag === "Failure") return { outcomes, failure: deleted.failure }
  for (const [index, letter] of sent.entries()) {
    if (!deleted.success.includes(index)) outcomes.set(letter, "redriven")
  }
  return { outcomes, failure: undefined }
})

const redriveLetters = Effect.fnUntraced(
  function* (flags: { readonly json: boolean; readonly limit: number }) {
    const queue = yield* SqsDeadLetters
    const counts: Record<Outcome, number> = { redriven: 0, copied: 0, refused: 0, left: 0 }
    const messages: Array<Shown & { readonly outcome: Outcome }> = []
    // Not interrupted between sending, deleting and telling: a copy less to be sent again, and nothing done untold.
    const each = Effect.fnUntraced(function* (letters: ReadonlyArray<DeadLetter>) {
      const { failure, outcomes } = yield* moveOurs(letters)
      for (const [letter, outcome] of outcomes) {
        const shown = shownOf(letter, false)
        counts[outcome] += 1
        messages.push({ ...shown, outcome })
        if (!flags.json) yield* Console.log(`${outcome.padEnd(8)} ${describe(shown)}`)
      }
      if (failure !== undefined) return yield* failure
      return letters.filter((letter) => outcomes.get(letter) !== "redriven")
    }, Effect.uninterruptible)
    const answer = Effect.suspend(() =>
      Console.log(
        flags.json
          ? JSON.stringify({ queue: queue.url, ...counts, messages })
          : Object.entries(counts)
              .map(([outcome, count]) => `${outcome}: ${count}`)
              .join(", "),
      ),
    )
    // An interrupted run tells what it did, too.
    yield* receiveAll(flags.limit, (letters) =>
      Effect.provideService(each(letters), SqsDeadLetters, queue),
    ).pipe(Effect.ensuring(answer))
    if (counts.refused + counts.copied > 0) {
      return yield* refuse("SQS did not take or did not delete every message. Run it again: it is safe")
    }
  },
  Effect.catchTag("SqsFailure", (failure) => Effect.fail(unanswered(failure))),
)

/** `admin dead-letters redrive [--json] [--limit N]` */
export const deadLettersRedrive = Command.make(
  "redrive",
  { json: asJson, limit: atMost("limit", 10_000, 100, "How many messages to look at") },
  redriveLetters,
).pipe(
  Command.withDescription(
    "Send the increments in the dead-letter queue to the queue again, and then delete them here. Others are shown and left. " +
      "At least once: it is safe to interrupt and to repeat, because a repeated message only asks for another look at the board",
  ),
  Command.withExamples([
    { command: "npm run admin -- dead-letters redrive --limit 1000", description: "At most a thousand" },
  ]),
)

/** `admin dead-letters` */
export const deadLetters = Command.make("dead-letters").pipe(
  Command.withDescription(
    "Messages that a worker received too often. Needs SQS_QUEUE_URL and AWS_REGION; `npm start` keeps its queue in its own memory",
  ),
)
