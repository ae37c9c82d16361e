import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type OutboxReport, SqlInspection } from "../../services/Sql/SqlInspection.ts"
import { asJson, atMost } from "./Answers.ts"

type Commit = OutboxReport["commits"][number]

/** One commit of the answer. The messages, with their addresses, are there only if the operator asked for them. */
const shownOf = (withMessages: boolean) => (commit: Commit) => {
  const { at, ageSeconds, due, id, messages, size, swept } = commit
  return { id, at, ageSeconds, due, swept, size, ...(withMessages ? { messages } : {}) }
}

const describe = ({ ageSeconds, due, id, messages, size, swept }: ReturnType<ReturnType<typeof shownOf>>) =>
  [
    `${id}  age ${ageSeconds} s, due ${due}, messages ${size}, ${swept ? "swept" : "not swept yet"}`,
    ...(messages ?? []).map((message) => `  ${message.id}  ${message.userId}  ${message.email}`),
  ].join("\n")

interface ListFlags {
  readonly json: boolean
  readonly limit: number
  readonly messages: boolean
}

const listOutbox = Effect.fnUntraced(function* ({ json, limit, messages }: ListFlags) {
  const report = yield* (yield* SqlInspection).outbox(limit)
  const commits = report.commits.map(shownOf(messages))
  if (json) return yield* Console.log(JSON.stringify({ total: report.total, commits }))
  yield* Effect.forEach(commits, (commit) => Console.log(describe(commit)), { discard: true })
  yield* Console.log(`commits to be sent: ${report.total}, listed: ${commits.length}`)
})

/** `admin outbox list [--json] [--limit N] [--messages]` */
export const outboxList = Command.make(
  "list",
  {
    json: asJson,
    limit: atMost("limit", 10_000, 100, "How many commits to list, oldest first"),
    messages: Flag.Boolean("messages").pipe(
      Flag.withDescription("Also each message: its event, its player's id and e-mail address"),
      Flag.withDefault(false),
    ),
  },
  listOutbox,
).pipe(
  Command.withDescription(
    "List the commits whose messages are still to be sent: their age, when any process may send them (due), how many " +
      "messages they have, and whether a sweep has taken them before",
  ),
  Command.withExamples([
    { command: "npm run admin -- outbox list --limit 5", description: "The five oldest" },
    { command: "npm run -s admin -- outbox list --json | jq .total", description: "How many there are" },
  ]),
)

/** `admin outbox` */
export const outbox = Command.make("outbox").pipe(
  Command.withDescription("Messages that are still to be sent to SQS"),
)
