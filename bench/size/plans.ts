import * as Effect from "effect/Effect"
import type * as Statement from "effect/sql/Statement"
import type * as SqlClient from "effect/sql/SqlClient"
import { BOARD_SIZE } from "../../src/domain/Score.ts"
import { boardStatement } from "../../src/services/Sql/SqlBoard.ts"
import { incrementsStatement } from "../../src/services/Sql/SqlCommit.ts"
import { historyStatement } from "../../src/services/Sql/SqlHistory.ts"
import {
  deleteOutboxStatement,
  EVERYTHING_SECONDS,
  leaseStatement,
} from "../../src/services/Sql/SqlOutbox.ts"
import { pruneKeysStatement } from "../../src/services/Sql/SqlPruning.ts"
import { standingStatement } from "../../src/services/Sql/SqlRanks.ts"
import { batchOf, playerAt, somebody } from "../players.ts"
import type { Side } from "./sides.ts"

/** The plan of one statement on one side, as the server reports it after running the statement. */
export interface Plan {
  readonly title: string
  readonly lines: ReadonlyArray<string>
}

/** From the sixth execution on, the server keeps one plan for all values if it is as good. */
const EXECUTIONS = 6

/** The number of a player with a long history. */
const BUSY = 7

/** Lines of a plan that are not about what was read or written. */
const SILENT =
  /^\s*(Sort Method|Index Searches|Storage|Memory|Buckets|Heap Blocks|Planning|Function Call|Order By)/

const literal = (value: unknown): string =>
  Array.isArray(value)
    ? literal(`{${value.map((item) => JSON.stringify(item)).join(",")}}`)
    : `'${String(value).replaceAll("'", "''")}'`

/** Runs a statement with new values until the server has chosen its plan, and explains the last execution. */
const explained = Effect.fnUntraced(function* (
  title: string,
  sql: SqlClient.SqlClient,
  statement: () => Statement.Statement<unknown>,
) {
  const [text] = statement().compile()
  const execute = () => {
    const [, values] = statement().compile()
    return `execute explained${values.length === 0 ? "" : `(${values.map(literal).join(", ")})`}`
  }
  yield* sql.unsafe(`prepare explained as ${text}`)
  for (let execution = 1; execution < EXECUTIONS; execution++) yield* sql.unsafe(execute()).unprepared
  const rows = yield* sql.unsafe<{ readonly "QUERY PLAN": string }>(
    `explain (analyze, buffers, wal, costs off) ${execute()}`,
  ).unprepared
  yield* sql`deallocate explained`
  const plan: Plan = {
    title,
    lines: rows.map((row) => row["QUERY PLAN"]).filter((line) => !SILENT.test(line)),
  }
  return plan
})

/** Adds commits that are due and keys that are too old, for the statements that delete them. Gives ids of commits. */
const leave = Effect.fnUntraced(function* (side: Side) {
  yield* side.sql`
insert into outbox (due, messages) select now() - interval '1 second', '[{"id": "1", "userId": "synthetic-0000000001", "email": "a@example.com"}]'
from generate_series(1, 400)`
  yield* side.sql`
insert into idempotency_keys (user_id, key, event_id, at)
select 'synthetic-0000000001', gen_random_uuid()::text, 0, now() - interval '25 hours' from generate_series(1, 7000)`
  const rows = yield* side.sql<{
    readonly id: string
  }>`select id::text from outbox order by id desc limit 100`
  return rows.map(({ id }) => id)
})

/** The plans of the hot statements on one side, each from a connection like the one that sends it in the product. */
export const plans = Effect.fnUntraced(function* (side: Side) {
  const { sql, commits } = side
  const ids = yield* leave(side)
  for (let batch = 0; batch < 5; batch++)
    yield* incrementsStatement(
      commits,
      batchOf(100, () => playerAt(BUSY)),
    )
  const anybody = () => somebody(side.players)
  return [
    yield* explained("Top 10 and version", sql, () => boardStatement(sql, BOARD_SIZE)),
    yield* explained("Commit of 1 increment", commits, () =>
      incrementsStatement(commits, batchOf(1, anybody)),
    ),
    yield* explained("Commit of 100 increments", commits, () =>
      incrementsStatement(commits, batchOf(100, anybody)),
    ),
    yield* explained("Rank and neighbours", sql, () =>
      standingStatement(sql, { userId: anybody(), tokenId: "token" }),
    ),
    yield* explained("History, a page of 50 out of 500", sql, () =>
      historyStatement(sql, { userId: playerAt(BUSY), tokenId: "token", after: undefined, limit: 51 }),
    ),
    yield* explained("Outbox, lease of 50", sql, () =>
      leaseStatement(sql, { leaseSeconds: 10, limit: 50, withinSeconds: EVERYTHING_SECONDS }),
    ),
    yield* explained("Outbox, delete of 10", sql, () => deleteOutboxStatement(sql, ids.splice(0, 10))),
    yield* explained("Keys, prune of 1,000", sql, () => pruneKeysStatement(sql, 1000)),
  ]
})

const first = (plan: Plan, pattern: RegExp) =>
  plan.lines.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined)

/** Time, pages found in `shared_buffers` and read into it, and write-ahead log of the whole statement. */
const summary = (plan: Plan | undefined) => {
  if (plan === undefined) return ""
  const buffers = first(plan, /Buffers: (.*)/) ?? ""
  const pages = (kind: string) => new RegExp(`shared.*\\b${kind}=(\\d+)`).exec(buffers)?.[1] ?? "0"
  const wal = /bytes=(\d+)/.exec(first(plan, /WAL: (.*)/) ?? "")?.[1]
  return `${first(plan, /Execution Time: (.*)/)}, ${pages("hit")} + ${pages("read")} pages${wal === undefined ? "" : `, ${wal} B log`}`
}

/** Markdown: a table of all states, then the plans of the last state, which is the largest and busiest. */
export const planPage = (
  states: ReadonlyArray<{ readonly name: string; readonly plans: ReadonlyArray<Plan> }>,
) => {
  const last = states.at(-1)?.plans ?? []
  const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    row(["", ...states.map(({ name }) => name)]),
    row(["---", ...states.map(() => "---")]),
    ...last.map(({ title }, index) => row([title, ...states.map((state) => summary(state.plans[index]))])),
    ...last.flatMap(({ title, lines }) => [
      "",
      `<details><summary>${title}</summary>`,
      "",
      "```",
      ...lines,
      "```",
      "",
      "</details>",
    ]),
    "",
  ].join("\n")
}
