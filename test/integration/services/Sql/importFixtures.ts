import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import { UserId } from "../../../../src/domain/Score.ts"
import { type ImportedScore, SqlImport } from "../../../../src/services/Sql/SqlImport.ts"
import * as SqlImportPostgres from "../../../../src/services/Sql/SqlImportPostgres.ts"
import { setup } from "./fixtures.ts"
import { wrongRanks } from "./ranksFixtures.ts"

/** An import process of its own. */
export const importOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlImportPostgres.layerFrom(url)), Context.get(SqlImport))

/** How the tests import. */
export const RULES = { actor: "ada", reason: "players.csv", isVerified: true }

/** A line of a file; the player's e-mail is right unless `rest` says otherwise. */
export const scoreOf = (player: string, score: number, rest: Partial<ImportedScore> = {}): ImportedScore => ({
  userId: UserId.make(player),
  score,
  email: `${player}@example.com`,
  reachedAtMicros: undefined,
  ...rest,
})

/** A fresh database, an API's service on it, an operator beside it, and an import. */
export const openImport = Effect.gen(function* () {
  const { url, sql, operator } = yield* setup
  return { url, sql, operator, imports: yield* importOn(url) }
})

/** Every player's score, and the kinds and points of their history in its order. */
export const state = (operator: SqlClient.SqlClient) => operator<{
  readonly id: string
  readonly score: number
  readonly history: ReadonlyArray<string>
}>`
select user_id as id, s.score::float8 as score,
  array_agg(e.kind || ' ' || coalesce(e.points, e.amount) order by e.id) as history
from scores s left join score_events e using (user_id) group by 1, 2 order by 1`

/** What a wrong import would break: the history sums to the scores, no score is imported twice, ranks are counts. */
export const consistent = Effect.fnUntraced(function* (operator: SqlClient.SqlClient) {
  assert.deepStrictEqual(
    yield* operator`
select user_id from scores s full join (select user_id, sum(coalesce(points, amount)) as total from score_events group by 1) e using (user_id)
where s.score is distinct from e.total`,
    [],
  )
  assert.deepStrictEqual(
    yield* operator`select user_id, score_after from score_events where kind = 'imported' group by 1, 2 having count(*) > 1`,
    [],
  )
  assert.deepStrictEqual(
    yield* operator`select 1 from scores s left join users u on u.id = s.user_id where u.id is null`,
    [],
  )
  assert.strictEqual(yield* wrongRanks(operator), 0)
})
