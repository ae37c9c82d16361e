import type * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { HIGHEST_SET_SCORE } from "../../../../src/domain/Score.ts"
import type { Sql } from "../../../../src/services/Sql/Sql.ts"
import type { DataCheck } from "../../../../src/services/Sql/SqlInspection.ts"
import type { SqlImport } from "../../../../src/services/Sql/SqlImport.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { verifyData } from "../../../../src/services/Sql/SqlVerify.ts"
import { act } from "./correctionsFixtures.ts"
import { by, Engine, operatorOn, serviceOn } from "./fixtures.ts"
import { consistent, importOn, RULES, scoreOf, state } from "./importFixtures.ts"
import { boardFromScratch, numbers, player } from "./ranksFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

const PLAYERS = 24
const FIRST_MOMENT = 1_700_000_000_000_000
/** What `reached` of an imported moment is less than. */
const REACHED_OFFSET = 9_000_000_000_000_000

type Numbers = ReturnType<typeof numbers>

/** A file of another game: ties, large scores, moments, and players who never played here. */
const fileOf = (number: Numbers) =>
  Array.from({ length: PLAYERS * 2 }, (_, n) =>
    scoreOf(player(n), number(4) === 0 ? HIGHEST_SET_SCORE - number(3) : number(30), {
      email: number(5) === 0 ? undefined : `${n}@example.com`,
      reachedAtMicros: number(2) === 0 ? undefined : FIRST_MOMENT + number(5),
    }),
  )

/** What a caller was told, which has to be true whatever else was cut off. */
const makeTold = () => ({
  sent: 0,
  increments: 0,
  corrections: new Map<string, string>(),
  undone: new Set<string>(),
})

type Told = ReturnType<typeof makeTold>

const anyPlayer = (number: Numbers) => player(number(PLAYERS))

const writeOnce = Effect.fnUntraced(function* (sql: Sql["Service"], number: Numbers, told: Told) {
  const batch = Array.from({ length: 1 + number(6) }, () =>
    by(anyPlayer(number), number(3) === 0 ? { key: `k${number(60)}` } : {}),
  )
  told.sent += batch.length
  const { outcomes } = yield* sql.increment(batch)
  told.increments += outcomes.filter(({ _tag }) => _tag === "Counted").length
})

const amountOf = (number: Numbers) => {
  const amounts = [1 + number(5), -1 - number(5), 3_000_000_000 + number(9), -HIGHEST_SET_SCORE + number(40)]
  return amounts[number(amounts.length)] ?? 1
}

const moderateOnce = Effect.fnUntraced(function* (
  moderation: SqlModeration["Service"],
  number: Numbers,
  told: Told,
) {
  const userId = anyPlayer(number)
  if ((yield* moderation.findPlayers(userId)).length === 0) return
  switch (number(6)) {
    case 0:
      return yield* moderation.setHidden(number(3) === 0, act(userId))
    case 1:
      return yield* moderation.endSignIns(act(userId))
    case 2: {
      const event = [...told.corrections.entries()][number(Math.max(1, told.corrections.size))]
      if (event === undefined) return
      const outcome = yield* moderation.undo(event[0], act(player(Number(event[1]))))
      if (outcome._tag === "Undone") told.undone.add(event[0])
      return
    }
    default: {
      const n = number(PLAYERS)
      const key = number(2) === 0 ? `ticket-${number(20)}` : undefined
      const outcome = yield* moderation.correct({ amount: amountOf(number), key }, act(player(n)))
      if (outcome._tag === "Corrected") told.corrections.set(outcome.eventId, String(n))
      return
    }
  }
})

/** Ends one connection of the board's or an operator's, whatever it does. */
const cutOff = (operator: PgClient.PgClient, name: string) => operator`
select pg_terminate_backend(pid) from pg_stat_activity
where application_name like ${name} and datname = current_database() and pid <> pg_backend_pid() order by random() limit 1`

const times = <E, R>(count: number, work: Effect.Effect<unknown, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.ignore(work), { discard: true })

/** Every place of the whole board, page after page. */
const allPages = Effect.fnUntraced(function* (sql: Sql["Service"]) {
  const places: Array<{ readonly rank: number; readonly email: string; readonly score: number }> = []
  for (let after: string | undefined, more = true; more;) {
    const page = yield* sql.page({ after, limit: 7 })
    places.push(...page.scores)
    after = page.next ?? undefined
    more = page.next !== null
  }
  return places
})

/** Events that nobody took back decide the place among equals, or the moment of an import. */
const wrongPlaces = (operator: PgClient.PgClient) => operator`
select user_id, reached::text from scores s where not exists (
  select from score_events e where e.user_id = s.user_id and e.kind <> 'undone'
    and not exists (select from score_events u where u.user_id = e.user_id and u.undoes = e.id)
    and (e.id = s.reached or e.kind = 'imported' and s.reached between ${FIRST_MOMENT - REACHED_OFFSET}::bigint and ${FIRST_MOMENT + 5 - REACHED_OFFSET}::bigint))
  and exists (select from score_events e where e.user_id = s.user_id and e.kind <> 'undone' and coalesce(points, amount) <> 0
    and not exists (select from score_events u where u.user_id = e.user_id and u.undoes = e.id))`

/** Everything that can be said about the data afterwards, from the history alone. */
const assertRight = Effect.fnUntraced(function* (
  operator: PgClient.PgClient,
  sql: Sql["Service"],
  told: Told,
) {
  const checks: Array<DataCheck> = []
  yield* verifyData(operator, (check) => Effect.sync(() => checks.push(check)))
  assert.deepStrictEqual(
    checks.filter(({ differences }) => differences > 0),
    [],
  )
  yield* consistent(operator)
  assert.deepStrictEqual(yield* wrongPlaces(operator), [])
  const counted = yield* operator<{ readonly n: number }>`
select count(*)::int as n from score_events where kind = 'increment'`
  assert.isAtLeast(counted[0]?.n ?? 0, told.increments)
  assert.isAtMost(counted[0]?.n ?? 0, told.sent)
  const once = yield* operator<{ readonly id: string; readonly undoes: string | null }>`
select id::text, undoes::text from score_events where kind in ('corrected', 'undone')`
  const ids = new Set(once.map(({ id }) => id))
  for (const event of told.corrections.keys()) assert.isTrue(ids.has(event), event)
  const undoes = once.flatMap((row) => row.undoes ?? [])
  assert.strictEqual(new Set(undoes).size, undoes.length)
  for (const event of told.undone) assert.include(undoes, event)
  assert.deepStrictEqual(
    yield* operator`select key from score_events where kind = 'corrected' and key is not null group by key having count(*) > 1`,
    [],
  )
  const scratch = yield* boardFromScratch(operator)
  assert.deepStrictEqual(
    yield* allPages(sql),
    scratch.map(({ email, rank, score }) => ({ rank, email, score })),
  )
  for (const { rank, score, user_id } of scratch) {
    const standing = yield* sql.standing({ userId: player(Number(user_id.slice(7))), tokenId: undefined })
    assert.deepStrictEqual([standing.rank, standing.score], [rank, score], user_id)
  }
})

/** The same file twice at once, one of them killed, and again until nothing is left of it. */
const importAll = Effect.fnUntraced(function* (
  imports: ReadonlyArray<SqlImport["Service"]>,
  operator: PgClient.PgClient,
  file: ReturnType<typeof fileOf>,
) {
  const runs = yield* Effect.forEach(imports, (one) =>
    Effect.forkChild(Effect.result(one.apply(file, { ...RULES, isVerified: false }))),
  )
  yield* cutOff(operator, "scoreboard import")
  yield* Effect.forEach(runs, Fiber.join)
  for (const [at, one] of imports.entries())
    yield* Effect.ignore(one.apply(file, { ...RULES, isVerified: at > 0 }))
})

layer(Engine.layer, OPTIONS)("Everything that changes scores", (it) => {
  for (const seed of [1, 2]) {
    it.effect(`leaves scores, history, keys and ranks right, done together and cut off (${seed})`, () =>
      Effect.gen(function* () {
        const url = yield* (yield* Engine).freshDatabase
        const [one, two] = [yield* serviceOn(url), yield* serviceOn(url)]
        const operator = yield* operatorOn(url)
        const moderations = yield* Effect.forEach([1, 2], () =>
          Effect.map(Layer.build(SqlModerationPostgres.layerFrom(url)), Context.get(SqlModeration)),
        )
        const imports = [yield* importOn(url), yield* importOn(url)]
        const number = numbers(seed)
        const told = makeTold()
        const files = [fileOf(number), fileOf(number)]
        yield* Effect.all(
          [
            ...[one, two, one, two].map((sql) => times(60, writeOnce(sql, number, told))),
            ...moderations.map((moderation) => times(60, moderateOnce(moderation, number, told))),
            Effect.forEach(files, (file) => importAll(imports, operator, file), { discard: true }),
            times(6, Effect.andThen(Effect.sleep("60 millis"), cutOff(operator, "scoreboard %"))),
          ],
          { concurrency: "unbounded", discard: true },
        )
        const again = yield* serviceOn(url)
        yield* assertRight(operator, again, told)

        const before = yield* state(operator)
        const fresh = yield* importOn(url)
        for (const file of files) yield* fresh.apply(file, RULES)
        const outcomes = yield* fresh.apply(files[0] ?? [], RULES)
        assert.isTrue(outcomes.every((outcome) => outcome === "repeated" || outcome === "unknown"))
        assert.isAtLeast((yield* state(operator)).length, before.length)
        yield* assertRight(operator, again, told)
      }),
    )
  }
})
