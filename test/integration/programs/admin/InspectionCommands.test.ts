import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Reactivity from "effect/reactivity/Reactivity"
import { Redis as RedisClient } from "ioredis"
import { BOARD_KEY } from "../../../../src/domain/BoardCache.ts"
import { encodeIncrement } from "../../../../src/domain/Messages.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as SqlUpkeepPostgres from "../../../../src/services/Sql/SqlUpkeepPostgres.ts"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import * as SqsMemory from "../../../../src/services/Sqs/SqsMemory.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"
import { type RedisEngine, startRedisServer } from "../../../support/engines/RedisServer.ts"
import { until } from "../../../support/fixtures.ts"
import { runAdmin } from "./adminFixtures.ts"

class Engines extends Context.Service<
  Engines,
  { readonly postgres: Postgres.PostgresEngine; readonly redis: RedisEngine; readonly client: RedisClient }
>()("test/InspectionCommandsEngines") {
  static readonly layer = Layer.effect(
    Engines,
    Effect.gen(function* () {
      const [postgres, redis] = yield* Effect.all([Postgres.make(), startRedisServer()], { concurrency: 2 })
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new RedisClient(redis.url)),
        (opened) => Effect.sync(() => opened.disconnect()),
      )
      return Engines.of({ postgres, redis, client })
    }).pipe(Effect.provide(Reactivity.layer)),
  )
}

const Verified = Schema.fromJsonString(
  Schema.Struct({
    ok: Schema.Boolean,
    database: Schema.String,
    at: Schema.String,
    checks: Schema.Array(
      Schema.Struct({
        check: Schema.String,
        outcome: Schema.String,
        looked: Schema.Record(Schema.String, Schema.Finite),
        differences: Schema.optionalKey(Schema.Finite),
        first: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
        reason: Schema.optionalKey(Schema.String),
      }),
    ),
  }),
)
const decodeVerified = Schema.decodeUnknownSync(Verified)

const Listed = Schema.fromJsonString(
  Schema.Struct({
    total: Schema.Int,
    commits: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        at: Schema.String,
        ageSeconds: Schema.Finite,
        due: Schema.String,
        swept: Schema.Boolean,
        size: Schema.Int,
        messages: Schema.optionalKey(Schema.Unknown),
      }),
    ),
  }),
)
const decodeOutbox = Schema.decodeUnknownSync(Listed)

/** The engines of a test connect often. */
const quiet = Layer.succeed(References.MinimumLogLevel, "Warn")

/** A migrated database, an empty Redis, and what works on them. */
const setup = Effect.gen(function* () {
  const { client, postgres, redis } = yield* Engines
  const url = yield* postgres.freshDatabase
  yield* Effect.promise(() => client.flushall())
  const services = yield* Layer.build(
    Layer.mergeAll(
      SqlPostgres.layerFrom(url),
      SqlUpkeepPostgres.layerFrom(url),
      SqlModerationPostgres.layerFrom(url),
      RedisServer.layer.pipe(Layer.fresh),
      SqsMemory.layer,
    ).pipe(
      Layer.provide(quiet),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ REDIS_URL: redis.url }))),
    ),
  )
  const sql = yield* PgClient.make({ url, maxConnections: 1 })
  const verify = (...flags: ReadonlyArray<string>) =>
    Effect.map(runAdmin(["verify", "--json", ...flags], { url, env: { REDIS_URL: redis.url } }), (ended) => ({
      ...ended,
      answer: decodeVerified(ended.out),
    }))
  return { client, services, sql, url, verify, redis }
})

const player = (name: string) => ({ userId: UserId.make(name), email: `${name}@example.com` })

/** Counts one point for each of these players, and tells the workers. */
const score = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  const base = { tokenId: undefined, key: undefined }
  yield* (yield* Sql).increment(names.map((name) => ({ ...base, ...player(name) })))
  yield* (yield* Sqs).send(names.map((name) => ({ body: encodeIncrement(player(name)), attributes: {} })))
})

/** A worker until the board of these points is in Redis. */
const showBoard = (text: string) =>
  Effect.gen(function* () {
    const { client } = yield* Engines
    yield* Layer.build(WorkerPrograms)
    return yield* until(
      "the board",
      Effect.promise(() => client.get(BOARD_KEY)),
      (board) => board?.includes(text) === true,
    )
  }).pipe(Effect.scoped)

layer(Engines.layer, { timeout: "90 seconds", excludeTestServices: true })("admin verify", (it) => {
  it.effect("finds nothing while points are counted, corrected and hidden and boards move", () =>
    Effect.gen(function* () {
      const { services, verify } = yield* setup
      yield* Effect.gen(function* () {
        yield* Layer.build(WorkerPrograms)
        const moderation = yield* SqlModeration
        const names = Array.from({ length: 12 }, (_, index) => `player${index}`)
        const writer = (first: number) =>
          Effect.gen(function* () {
            for (let n = first; ; n++) {
              yield* score(names[n % 12] ?? "", names[(n * 7) % 12] ?? "")
              const doing = { userId: UserId.make(names[n % 12] ?? ""), actor: "ada", reason: "a test" }
              if (n % 10 === 0) yield* moderation.correct({ amount: 3, key: undefined }, doing)
              if (n % 25 === 0) yield* moderation.setHidden(n % 2 === 0, doing)
              yield* Effect.sleep("3 millis")
            }
          })
        const writers = yield* Effect.forkScoped(
          Effect.all([writer(0), writer(5)], { concurrency: 2, discard: true }),
        )
        for (let run = 0; run < 2; run++) {
          const { answer, code, err } = yield* verify()
          assert.strictEqual(code, 0, `${err}\n${JSON.stringify(answer)}`)
          assert.isTrue(answer.ok)
          assert.deepStrictEqual(
            answer.checks.map(({ check, outcome }) => [check, outcome]),
            ["history", "keys", "players", "ranks", "board"].map((check) => [check, "ok"]),
          )
        }
        yield* Fiber.interrupt(writers)
      }).pipe(Effect.provideContext(services))
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("names the first difference of each kind in one document, and ends with 1", () =>
    Effect.gen(function* () {
      const { client, services, sql, url, verify } = yield* setup
      yield* Effect.gen(function* () {
        yield* score("ada", "bob", "ada")
        const board = yield* showBoard('"score":2')
        assert.strictEqual((yield* verify()).code, 0)
        yield* Effect.promise(() => client.set(BOARD_KEY, String(board).replace('"score":2', '"score":7')))
      }).pipe(Effect.provideContext(services))
      const onBoard = yield* verify()
      assert.strictEqual(onBoard.code, 1)
      assert.deepStrictEqual(onBoard.answer.checks.at(-1)?.first, {
        problem: "scores",
        version: onBoard.answer.checks.at(-1)?.looked["version"],
        place: 1,
        postgresql: { email: "a…a@example.com", score: 2 },
        redis: { email: "a…a@example.com", score: 7 },
      })
      assert.strictEqual(onBoard.err, "Differences: board\n")

      yield* sql`insert into scores (user_id, score, reached) values ('carol', 3, 1), ('dave', 4, 1)`
      yield* sql`insert into users (id, email) values ('carol', 'carol@example.com')`
      yield* sql`insert into score_events (user_id, id, amount, score_after, key) values
        ('bob', 900, 1, 2, 'twice'), ('bob', 901, 1, 3, 'twice')`
      yield* sql`insert into idempotency_keys (user_id, key, event_id) values ('zoe', 'k', 999)`
      yield* sql`insert into operator_keys (kind, key, user_id, event_id) values ('corrected', 'ticket', 'zoe', 999)`
      yield* sql`update rank_node set c1 = c1 + 5
        where ctid = (select ctid from rank_node where level = 0 and block = 0 and c1 is not null limit 1)`
      const { answer, code, err } = yield* verify("--without-redis")
      assert.strictEqual(code, 1)
      assert.strictEqual(err, "Differences: history, keys, players, ranks\n")
      assert.deepStrictEqual(
        answer.checks.map(({ differences, first, outcome }) => [outcome, differences, first]),
        [
          ["different", 3, { userId: "bob", score: 1, history: 3, events: 3, last: 3, steps: 3 }],
          ["different", 3, { userId: "bob", event: "901", problem: "its key was counted before" }],
          ["different", 1, { userId: "dave", score: 4 }],
          ["different", 1, { from: 0, to: 15, players: 5 }],
          ["skipped", undefined, undefined],
        ],
      )
      const text = yield* runAdmin(["verify", "--without-redis"], { url })
      assert.match(
        text.out,
        /^history  different players 4, events 5, synthetic 0; differences: 3; the first: \{"userId":"bob"/,
      )
      assert.match(text.out, /\nboard    skipped; --without-redis\n$/)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("ends with 3 and keeps what it found if it cannot look at Redis", () =>
    Effect.gen(function* () {
      const { url } = yield* setup
      const env = { REDIS_URL: "redis://127.0.0.1:1" }
      const away = yield* runAdmin(["verify", "--json"], { url, env })
      assert.deepStrictEqual([away.code, away.err], [3, "Could not be looked at: board\n"])
      const { checks, ok } = decodeVerified(away.out)
      assert.isFalse(ok)
      assert.deepStrictEqual(
        checks.map(({ outcome }) => outcome),
        ["ok", "ok", "ok", "ok", "unknown"],
      )
      assert.match(checks.at(-1)?.reason ?? "", /^Redis: /)

      const cut = yield* runAdmin(["verify"], {
        url,
        env,
        onOutput: (text, kill) => (text.includes("ranks") ? kill("SIGTERM") : undefined),
      })
      assert.strictEqual(cut.code, 130)
      assert.match(cut.out, /\nranks    ok [^\n]*\n$/)

      const unset = yield* runAdmin(["verify"], { url })
      assert.deepStrictEqual(unset, { code: 3, out: "", err: "Configuration: REDIS_URL is not set\n" })
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("leaves synthetic players out of the comparison with their history", () =>
    Effect.gen(function* () {
      const { url } = yield* setup
      assert.strictEqual((yield* runAdmin(["generate", "--players", "50"], { url })).code, 0)
      const { code, out } = yield* runAdmin(["verify", "--without-redis"], { url })
      assert.strictEqual(code, 0)
      assert.match(out, /^history  ok        players 50, events 0, synthetic 50\n/)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("outbox list shows what is to be sent, oldest first, with addresses only when asked", () =>
    Effect.gen(function* () {
      const { services, sql, url } = yield* setup
      const list = (...flags: ReadonlyArray<string>) => runAdmin(["outbox", "list", ...flags], { url })
      assert.deepStrictEqual(yield* list(), { code: 0, out: "commits to be sent: 0, listed: 0\n", err: "" })
      yield* Effect.gen(function* () {
        yield* score("ada", "bob")
        yield* score("carol")
      }).pipe(Effect.provideContext(services))
      yield* sql`update outbox set due = due + interval '10 seconds' where id = (select min(id) from outbox)`

      const { commits, total } = decodeOutbox((yield* list("--json")).out)
      assert.strictEqual(total, 2)
      assert.deepStrictEqual(
        commits.map(({ messages, size, swept }) => [size, swept, messages]),
        [
          [2, true, undefined],
          [1, false, undefined],
        ],
      )
      assert.isAtLeast(commits[0]?.ageSeconds ?? -1, 0)
      assert.match(commits[0]?.due ?? "", /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      const one = yield* list("--limit", "1")
      assert.match(
        one.out,
        /^\d+  age [\d.]+ s, due \S+Z, messages 2, swept\ncommits to be sent: 2, listed: 1\n$/,
      )
      const full = yield* list("--limit", "1", "--messages")
      assert.match(full.out, /\n  \d+  ada  ada@example\.com\n  \d+  bob  bob@example\.com\ncommits/)
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})
