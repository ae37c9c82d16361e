import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { UserId } from "../../../../src/domain/Score.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { violations } from "../../../support/invariants/Violations.ts"
import { by, Engine, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("Corrections on PostgreSQL", (it) => {
  it.effect(
    "gives an amount beyond int as it is, and keeps the nearest int for code of earlier releases",
    () =>
      Effect.gen(function* () {
        const { sql, operator, url } = yield* setup
        const userId = UserId.make("ada")
        yield* sql.increment([by("ada")])
        yield* operator`
insert into score_events (user_id, id, amount, points, score_after, kind, actor) values
  ('ada', nextval('event_id'), 2147483647, 9007199254740990, 9007199254740991, 'corrected', 'grace'),
  ('ada', nextval('event_id'), -2147483648, -9007199254740990, 1, 'corrected', 'grace')`
        const { entries } = yield* sql.history({ userId, tokenId: "t", after: undefined, limit: 3 })
        const amounts = [-9_007_199_254_740_990, 9_007_199_254_740_990, 1]
        assert.deepStrictEqual(
          entries.map(({ amount }) => amount),
          amounts,
        )
        const moderation = Context.get(
          yield* Layer.build(SqlModerationPostgres.layerFrom(url)),
          SqlModeration,
        )
        const exported = yield* moderation.exportHistory({ userId, after: undefined, limit: 3 })
        assert.deepStrictEqual(
          exported.map(({ amount }) => amount),
          amounts.toReversed(),
        )
        assert.deepStrictEqual(yield* violations(operator), [])
        for (const [amount, points] of [
          [0, "2147483648"],
          [1, "2"],
        ]) {
          const insert = operator`
insert into score_events (user_id, id, amount, points, score_after) values ('ada', nextval('event_id'), ${amount}, ${points}::bigint, 1)`
          assert.include(String((yield* Effect.flip(insert)).reason.cause), "points_check")
        }
      }),
  )
})
