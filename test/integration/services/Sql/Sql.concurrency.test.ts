import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type { Board } from "../../../../src/domain/Score.ts"
import type { IncrementAnswer } from "../../../../src/services/Sql/Sql.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { until } from "../../../support/fixtures.ts"
import { violations } from "../../../support/invariants/Violations.ts"
import { by, Engine, operatorOn, serviceOn, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

/** The random numbers of the run: the same ones each time, so that a failure can be had again. */
const SEED = 20_240_229
const WRITERS = 8
const BATCHES = 100

/** mulberry32: 0 up to, without, `below`. */
const randomFrom = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

layer(Engine.layer, OPTIONS)("Sql on PostgreSQL, many at once", (it) => {
  it.effect("keeps every promise under writers that share keys, a moderator and readers", () =>
    Effect.gen(function* () {
      const { sql, operator, url } = yield* setup
      const processes = [sql, yield* serviceOn(url)] as const
      const counted = new Map<string, number>()
      const answered = new Set<string>()
      let rowsCounted = 0

      const writer = (index: number) =>
        Effect.gen(function* () {
          const random = randomFrom(SEED + index)
          for (let n = 0; n < BATCHES; n++) {
            const batch = Array.from({ length: 1 + random(12) }, () =>
              by(`player${random(20)}`, { key: random(3) === 0 ? undefined : `key${random(900)}` }),
            )
            const answer: IncrementAnswer = yield* processes[index % 2 === 0 ? 0 : 1].increment(batch)
            for (const [at, { _tag }] of answer.outcomes.entries()) {
              const request = batch[at]
              if (request === undefined || _tag === "Hidden") continue
              const name = `${request.userId} ${request.key}`
              if (_tag === "Counted") rowsCounted += 1
              if (request.key === undefined) continue
              answered.add(name)
              if (_tag === "Counted") counted.set(name, (counted.get(name) ?? 0) + 1)
            }
          }
        })

      const moderator = Effect.gen(function* () {
        const random = randomFrom(SEED - 1)
        while (true) {
          const some = Array.from({ length: 4 }, () => `player${random(20)}`)
          yield* operator`
with locked as materialized (select user_id from scores where user_id = any(${some}::text[]) order by user_id for update)
update scores s set hidden = ${random(2) === 0} from locked l where l.user_id = s.user_id`
          yield* operator`update users set email = ${`name${random(1000)}@example.com`} where id = ${some[0] ?? ""}`
          yield* Effect.sleep("5 millis")
        }
      })

      const boards = new Map<number, string>()
      const reader = (service: (typeof processes)[number]) =>
        Effect.gen(function* () {
          let last: Board | undefined
          while (true) {
            const board = yield* service.top(10)
            const scores = JSON.stringify(board.scores)
            assert.isAtLeast(board.version, last?.version ?? 0)
            assert.strictEqual(boards.get(board.version) ?? scores, scores, "one version, two boards")
            boards.set(board.version, scores)
            last = board
          }
        })

      const beside = yield* Effect.forkChild(
        Effect.all([moderator, reader(processes[0]), reader(processes[1])], { concurrency: "unbounded" }),
      )
      yield* Effect.raceFirst(
        Effect.forEach(
          Array.from({ length: WRITERS }, (_, index) => index),
          writer,
          {
            concurrency: "unbounded",
            discard: true,
          },
        ),
        Fiber.join(beside),
      )
      yield* Fiber.interrupt(beside)

      assert.deepStrictEqual(yield* violations(operator), [])
      assert.isAbove(boards.size, 50)
      assert.deepStrictEqual(
        [...counted].filter(([, times]) => times > 1),
        [],
      )
      const stored = yield* operator<{
        readonly name: string
      }>`select user_id || ' ' || key as name from idempotency_keys`
      assert.deepStrictEqual(stored.map(({ name }) => name).toSorted(), [...answered].toSorted())
      const [sum] = yield* operator<{
        readonly total: number
      }>`select sum(coalesce(points, amount))::int as total from score_events`
      assert.strictEqual(sum?.total, rowsCounted)
    }),
  )

  it.effect("applies the schema once when four processes start at the same time", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      const services = yield* Effect.all(
        Array.from({ length: 4 }, () => serviceOn(url)),
        { concurrency: "unbounded" },
      )
      const operator = yield* operatorOn(url)
      assert.deepStrictEqual(
        yield* operator`select (select count(*)::int from board_version) as shards, (select count(*)::int from board_epoch) as epochs,
(select count(*)::int - count(distinct name)::int from effect_sql_migrations) as repeated`,
        [{ shards: 17, epochs: 1, repeated: 0 }],
      )
      yield* Effect.forEach(services, (sql) => sql.increment([by("ada")]), { concurrency: "unbounded" })
      assert.deepStrictEqual((yield* services[0]?.top(10) ?? Effect.die("no service")).scores, [
        { email: "ada@example.com", score: 4 },
      ])
    }),
  )

  it.effect("is not held up by open transactions on other players, as long as one version row is free", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("other"), by("ada")])
      const holding = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const open = yield* operator
        .withTransaction(
          operator`update scores set score = score where user_id = 'other'`.pipe(
            // Each open transaction holds one row of 16: this one stands for 15 of them.
            Effect.andThen(
              operator`select 1 from board_version
where shard <> (select min(shard) from board_version where shard <> pg_backend_pid() & 15) for update`,
            ),
            Effect.andThen(Deferred.succeed(holding, undefined)),
            Effect.andThen(Deferred.await(done)),
          ),
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(holding)
      // Two connections commit, so 40 batches use each of them.
      const times = yield* Effect.forEach(
        Array.from({ length: 40 }),
        () =>
          Effect.map(Effect.timed(sql.increment([by("ada"), by("grace")])), ([elapsed]) =>
            Number(elapsed.value),
          ),
        { concurrency: 2 },
      )
      assert.strictEqual(times.length, 40)
      yield* Deferred.succeed(done, undefined)
      yield* Fiber.join(open)
      assert.deepStrictEqual(yield* violations(operator), [])
    }).pipe(Effect.timeout("5 seconds")),
  )

  it.effect("moves the version once for each change, with more connections than the version has rows", () =>
    Effect.gen(function* () {
      const { url, operator } = yield* setup
      const [connections, changes] = [24, 50]
      yield* Effect.forEach(
        yield* Effect.forEach(Array.from({ length: connections / 4 }), () => operatorOn(url)),
        (four) =>
          Effect.forEach(
            Array.from({ length: 4 * changes }),
            () => four`select board_moved(), pg_sleep(random() * 0.002)`,
            { concurrency: 4, discard: true },
          ),
        { concurrency: "unbounded", discard: true },
      )
      const moved =
        yield* operator`select sum(n)::int as version, count(*)::int as rows from board_version where shard < 16`
      assert.deepStrictEqual(moved, [{ version: connections * changes, rows: 16 }])
    }),
  )

  it.effect("an operator's command waits longer for a locked row than any request may", () =>
    Effect.gen(function* () {
      const { sql, operator, url } = yield* setup
      yield* sql.increment([by("ada")])
      const services = yield* Layer.build(SqlModerationPostgres.layerFrom(url))
      const moderation = Context.get(services, SqlModeration)
      const locked = yield* Deferred.make<void>()
      const other = yield* Effect.forkChild(
        operator.withTransaction(
          Effect.gen(function* () {
            yield* operator`select 1 from scores where user_id = 'ada' for update`
            yield* Deferred.succeed(locked, undefined)
            yield* Effect.sleep("2800 millis")
          }),
        ),
      )
      yield* Deferred.await(locked)
      const act = { userId: by("ada").userId, actor: "grace", reason: "spam" }
      assert.strictEqual(yield* moderation.setHidden(true, act), 1)
      yield* Fiber.join(other)
    }),
  )

  it.effect("the end of a player's sign-ins has the score of a first increment that it waited for", () =>
    Effect.gen(function* () {
      const { sql, operator, url } = yield* setup
      yield* sql.register(by("ada").userId, "ada@example.com")
      const services = yield* Layer.build(SqlModerationPostgres.layerFrom(url))
      const moderation = Context.get(services, SqlModeration)
      const holding = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const increment = yield* operator
        .withTransaction(
          operator`insert into scores (user_id, score, reached) values ('ada', 1, nextval('event_id'))`.pipe(
            Effect.andThen(
              operator`insert into score_events (user_id, id, amount, score_after) values ('ada', currval('event_id'), 1, 1)`,
            ),
            Effect.andThen(Deferred.succeed(holding, undefined)),
            Effect.andThen(Deferred.await(done)),
          ),
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(holding)
      const act = { userId: by("ada").userId, actor: "grace", reason: "a stolen phone" }
      const ending = yield* Effect.forkChild(moderation.endSignIns(act))
      const waiting = operator`
select 1 from pg_stat_activity where application_name = 'scoreboard admin' and datname = current_database()
  and wait_event_type = 'Lock'`
      yield* until("the command waits", waiting, (rows) => rows.length > 0)
      yield* Deferred.succeed(done, undefined)
      yield* Fiber.join(increment)
      yield* Fiber.join(ending)
      assert.deepStrictEqual(
        yield* operator`select kind, score_after::int as score from score_events order by id`,
        [
          { kind: "increment", score: 1 },
          { kind: "signed-out", score: 1 },
        ],
      )
    }),
  )

  it.effect("gives up in time on a row that is locked elsewhere, counts nothing, and continues", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      const holding = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const open = yield* operator
        .withTransaction(
          operator`select 1 from scores where user_id = 'ada' for update`.pipe(
            Effect.andThen(Deferred.succeed(holding, undefined)),
            Effect.andThen(Deferred.await(done)),
          ),
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(holding)
      const failure = yield* Effect.flip(sql.increment([by("ada"), by("grace")])).pipe(
        Effect.timeout("2 seconds"),
      )
      assert.deepStrictEqual([failure._tag, failure.operation], ["SqlFailure", "increment"])
      yield* sql.increment([by("grace")])
      yield* Deferred.succeed(done, undefined)
      yield* Fiber.join(open)
      yield* sql.increment([by("ada")])
      assert.deepStrictEqual(
        (yield* sql.top(10)).scores.map(({ score }) => score),
        [2, 1],
      )
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )
})
