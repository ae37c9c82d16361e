import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Redis as Client } from "ioredis"
import { BOARD_KEY } from "../../../../src/domain/BoardCache.ts"
import { PublicBoard } from "../../../../src/domain/Messages.ts"
import type { Board as StampedBoard } from "../../../../src/domain/Score.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { ScoresSocket } from "../../../../src/programs/board/ScoresSocket.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisServer from "../../../../src/services/Redis/RedisServer.ts"
import { type Form, SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { freePort } from "../../../support/engines/freePort.ts"
import { REFUSALS, type Refuse } from "../../../support/engines/redisRefusals.ts"
import { startRedisServer } from "../../../support/engines/RedisServer.ts"
import * as TcpProxy from "../../../support/engines/TcpProxy.ts"
import { until } from "../../../support/fixtures.ts"

/** Boards are current again this soon after Redis fails. From the issue. */
const CURRENT = "2 seconds"

const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))
const scoreOf = (json: string) => decodeBoard(json).scores[0]?.score

/** What PostgreSQL has; `commit` raises it by one, `restore` takes it back to the first commit in a new epoch. */
const makeDatabase = (first: string) => {
  let epoch = first
  let version = 1
  const board = (): StampedBoard => ({
    scores: [{ email: `${epoch}@example.com`, score: version }],
    epoch,
    version,
    committedAt: 1,
  })
  return {
    commit: Effect.sync(() => ++version),
    restore: Effect.sync(() => {
      epoch = `restored ${epoch}`
      version = 1
    }),
    layer: Layer.mock(Sql)({ top: () => Effect.sync(board) }),
  }
}
type Database = ReturnType<typeof makeDatabase>

/** The board of one API process on a Redis, and the boards that its sockets were sent. */
const startProcess = Effect.fnUntraced(function* (url: string, database: Database) {
  const sent: Array<string> = []
  let newest = (_form: Form) => ""
  const hub = Layer.mock(SocketHub)({
    accept: () => undefined,
    hold: (text) => Effect.sync(() => void (newest = text)),
    broadcast: Effect.sync(() => void sent.push(newest("plain"))),
  })
  const services = yield* Layer.build(
    Layer.fresh(
      ScoresSocket.pipe(
        Layer.provideMerge(Board.layer),
        Layer.provideMerge(Layer.fresh(RedisServer.layer)),
        Layer.provide([database.layer, hub]),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ REDIS_URL: url }))),
      ),
    ),
  )
  const board = Context.get(services, Board)
  const redis = Context.get(services, Redis)
  return {
    refresh: board.refresh,
    untilWritten: until("the board is written", Effect.exit(board.refresh), Exit.isSuccess, CURRENT),
    redis,
    sent,
    shown: Effect.sync(() => scoreOf(sent.at(-1) ?? '{"scores":[]}')),
    read: Effect.map(board.current, ({ json }) => scoreOf(json)),
    isReady: Effect.match(redis.ping, { onSuccess: () => true, onFailure: () => false }),
  }
})

const clientOf = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Client(url)),
    (client) => Effect.sync(() => client.disconnect()),
  )

const is =
  <A>(expected: A) =>
  (value: A) =>
    value === expected

/** Every way in which Redis refuses writes but answers reads. */
const REFUSING: ReadonlyArray<{ readonly what: string; readonly refuse: Refuse }> = [
  { what: "is full (OOM)", refuse: REFUSALS.OOM },
  { what: "has too few replicas (NOREPLICAS)", refuse: REFUSALS.NOREPLICAS },
  { what: "cannot save (MISCONF)", refuse: REFUSALS.MISCONF },
  {
    what: "is a replica (READONLY)",
    refuse: (client) =>
      Effect.flatMap(freePort, (port) =>
        Effect.as(
          Effect.promise(() => client.replicaof("127.0.0.1", port)),
          Effect.promise(() => client.replicaof("NO", "ONE")),
        ),
      ),
  },
]

describe("ScoresSocket on redis-server", { concurrent: true }, () => {
  for (const { what, refuse } of REFUSING)
    it.live(`shows boards of PostgreSQL while Redis ${what}`, () =>
      Effect.gen(function* () {
        const { url } = yield* startRedisServer()
        const client = yield* clientOf(url)
        const database = makeDatabase("own")
        const api = yield* startProcess(url, database)
        yield* api.refresh
        yield* until("the first board is shown", api.shown, is<number | undefined>(1))

        const end = yield* refuse(client)
        for (let n = 0; n < 3; n++) {
          const score = yield* database.commit
          assert.strictEqual((yield* Effect.flip(api.refresh))._tag, "RedisFailure")
          yield* until("the sockets show the commit", api.shown, is<number | undefined>(score), CURRENT)
          assert.strictEqual(yield* api.read, score)
          assert.isFalse(yield* api.isReady)
        }
        assert.include(yield* Effect.promise(() => client.get(BOARD_KEY)), '"version":1')

        yield* end
        yield* until("Redis is up", api.isReady, is(true), CURRENT)
        const score = yield* database.commit
        yield* api.untilWritten
        yield* until("the sockets show the commit", api.shown, is<number | undefined>(score), CURRENT)
        assert.include(yield* Effect.promise(() => client.get(BOARD_KEY)), `"version":${score}`)
      }),
    )

  for (const how of ["is demoted", "only moves the commands"] as const)
    it.live(`shows boards of the new primary when the old one ${how} and stays connected`, () =>
      Effect.gen(function* () {
        const [old, next] = yield* Effect.all([startRedisServer(), startRedisServer()], { concurrency: 2 })
        const [onOld, onNext] = [yield* clientOf(old.url), yield* clientOf(next.url)]
        yield* Effect.promise(() => onNext.replicaof("127.0.0.1", old.port))
        const proxy = yield* TcpProxy.make(old.port)
        const database = makeDatabase("own")
        const api = yield* startProcess(`redis://127.0.0.1:${proxy.port}`, database)
        const worker = yield* startProcess(next.url, database)
        yield* api.refresh
        yield* until("the first board is shown", api.shown, is<number | undefined>(1))

        yield* Effect.promise(() => onNext.replicaof("NO", "ONE"))
        yield* proxy.retarget(next.port)
        const unused = yield* freePort
        yield* how === "is demoted"
          ? Effect.promise(() => onOld.replicaof("127.0.0.1", unused))
          : Effect.promise(() => onOld.call("CLIENT", "KILL", "TYPE", "normal"))
        for (let n = 0; n < 5; n++) {
          const score = yield* database.commit
          yield* until(
            "the worker writes",
            Effect.exit(worker.refresh),
            ({ _tag }) => _tag === "Success",
            CURRENT,
          )
          yield* until("the sockets show the commit", api.shown, is<number | undefined>(score), CURRENT)
          assert.strictEqual(yield* api.read, score)
        }
        yield* until(
          "the subscription hears the new primary",
          Effect.promise(() => onOld.call("CLIENT", "LIST", "TYPE", "pubsub")),
          (list) => !String(list).includes("id="),
          CURRENT,
        )
        assert.isTrue(yield* api.isReady)
      }),
    )

  it.live("shows no board from before a restore when Redis is killed and loads one from its disk", () =>
    Effect.gen(function* () {
      const engine = yield* startRedisServer()
      const onRedis = <A>(use: (client: Client) => Promise<A>) =>
        Effect.scoped(Effect.flatMap(clientOf(engine.url), (client) => Effect.promise(() => use(client))))
      const database = makeDatabase("own")
      const api = yield* startProcess(engine.url, database)
      yield* database.commit
      yield* api.refresh
      yield* until("the board before the restore is shown", api.shown, is<number | undefined>(2))
      yield* onRedis((client) => client.save())

      yield* database.restore
      yield* api.refresh
      yield* until("the restored board is shown", api.shown, is<number | undefined>(1))
      yield* engine.kill
      yield* engine.reload
      yield* until("Redis is up", api.isReady, is(true))
      assert.include(yield* onRedis((client) => client.get(BOARD_KEY)), '"version":2')
      const restarted = yield* startProcess(engine.url, database)
      for (const process of [api, restarted]) {
        assert.strictEqual(yield* process.read, 1)
        yield* until("the restored board is shown", process.shown, is<number | undefined>(1))
      }
      const shown = api.sent.map(scoreOf)
      assert.isBelow(shown.lastIndexOf(2), shown.indexOf(1), shown.join())

      const score = yield* database.commit
      yield* api.untilWritten
      for (const process of [api, restarted])
        yield* until("the sockets show the commit", process.shown, is<number | undefined>(score), CURRENT)
    }),
  )

  it.live("shows viewers of one installation no board of another on the same Redis", () =>
    Effect.gen(function* () {
      const { url } = yield* startRedisServer()
      const databases = [makeDatabase("one"), makeDatabase("other")] as const
      const [one, other] = [
        yield* startProcess(`${url}/0`, databases[0]),
        yield* startProcess(`${url}/1`, databases[1]),
      ]
      for (let n = 0; n < 20; n++) {
        yield* databases[1].commit
        yield* other.refresh
        if (n === 10) {
          yield* databases[0].commit
          yield* one.refresh
        }
        yield* Effect.sleep("60 millis")
      }
      yield* until(
        "both show their own board",
        Effect.all([one.shown, other.shown]),
        ([a, b]) => a === 2 && b === 21,
      )
      assert.deepStrictEqual(
        one.sent.filter((text) => !text.includes("one@")),
        [],
      )
      assert.deepStrictEqual(
        other.sent.filter((text) => !text.includes("other@")),
        [],
      )
    }),
  )
})
