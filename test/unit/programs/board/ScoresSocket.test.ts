import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { type BoardUpdate, PublicBoard } from "../../../../src/domain/Messages.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { show } from "../../../../src/programs/board/ShownBoard.ts"
import { formOf, ScoresSocket } from "../../../../src/programs/board/ScoresSocket.ts"
import { type BoardNotification, Redis } from "../../../../src/services/Redis/Redis.ts"
import { type Form, SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"
import { hopDuring } from "../observe/fixtures.ts"

const update = (version: number, epoch = "epoch"): BoardUpdate => ({
  scores: [{ email: epoch, score: version }],
  epoch,
  version,
  committedAt: 1,
})
const published = (board: BoardUpdate): BoardNotification => ({
  _tag: "Published",
  json: JSON.stringify(board),
})

interface World {
  /** Every text that was broadcast, in its plain form. */
  readonly sent: Array<string>
  /** What newcomers get. */
  held: (form: Form) => string
  /** What a read of the board gives; none = it fails. */
  key: BoardUpdate | undefined
  readonly notify: (notification: BoardNotification) => Effect.Effect<unknown>
}

const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))
const scores = (sent: ReadonlyArray<string>) => sent.map((text) => decodeBoard(text).scores[0]?.score)

const withSockets = <A, E>(test: (world: World) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const notifications = yield* Queue.unbounded<BoardNotification>()
    const world: World = {
      sent: [],
      held: () => "",
      key: undefined,
      notify: (one) => Queue.offer(notifications, one),
    }
    const services = Layer.mergeAll(
      Layer.mock(Redis)({ notifications: Stream.fromQueue(notifications) }),
      Layer.mock(Board)({
        current: Effect.suspend(() =>
          world.key === undefined
            ? Effect.fail(new SqlFailure({ operation: "top", cause: new Error("away") }))
            : Effect.succeed(show(world.key)),
        ),
      }),
      Layer.mock(SocketHub)({
        accept: () => undefined,
        hold: (text) => Effect.sync(() => void (world.held = text)),
        broadcast: Effect.sync(() => void world.sent.push(world.held("plain"))),
      }),
      ConfigProvider.layer(ConfigProvider.fromUnknown({ BROADCAST_INTERVAL: "50 millis" })),
    )
    return yield* test(world).pipe(Effect.provide(ScoresSocket.pipe(Layer.provide(services))))
  })

describe("ScoresSocket", () => {
  it.effect("sends the first board at once, then the newest of each interval, and the last one always", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(1)))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(scores(world.sent), [1])
        for (let version = 2; version <= 9; version++) yield* world.notify(published(update(version)))
        yield* TestClock.adjust("48 millis")
        assert.deepStrictEqual(scores(world.sent), [1])
        yield* TestClock.adjust("2 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 9])
      }),
    ),
  )

  it.effect("never sends an older board of the same epoch, and always takes one of another", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        for (const next of [update(5), update(4), update(5), update(6), update(1, "restored"), update(7)]) {
          yield* world.notify(published(next))
          yield* TestClock.adjust("100 millis")
        }
        assert.deepStrictEqual(scores(world.sent), [5, 6, 1, 7])
      }),
    ),
  )

  it.effect("has newcomers shown a board at once, while it waits for its broadcast", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(1)))
        yield* TestClock.adjust("1 millis")
        for (const [version, newest] of [
          [2, 2],
          [5, 5],
          [4, 5],
        ] as const) {
          yield* world.notify(published(update(version)))
          yield* TestClock.adjust("1 millis")
          assert.deepStrictEqual(scores([world.held("plain")]), [newest])
        }
        assert.deepStrictEqual(scores(world.sent), [1])
        yield* TestClock.adjust("50 millis")
        assert.deepStrictEqual(scores(world.sent), [1, 5])
      }),
    ),
  )

  it.effect("tells the stamp to who asked for it, when there is one", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(7)))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(
          world.held("stamped"),
          '{"scores":[{"email":"epoch","score":7}],"epoch":"epoch","version":7}',
        )
        yield* world.notify(published({ scores: [] }))
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(world.held("stamped"), '{"scores":[]}')
      }),
    ),
  )

  it.effect("sends nothing but the scores", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(1)))
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(world.sent, ['{"scores":[{"email":"epoch","score":1}]}'])
      }),
    ),
  )

  it.effect("reads the board again after a subscription, and until it can be read", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify({ _tag: "Subscribed" })
        yield* TestClock.adjust("2500 millis")
        assert.deepStrictEqual(world.sent, [])
        world.key = update(3)
        yield* TestClock.adjust("1 seconds")
        assert.deepStrictEqual(scores(world.sent), [3])
      }),
    ),
  )

  it.effect("shows no garbage, and reads the board instead", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        world.key = update(2)
        yield* world.notify({ _tag: "Published", json: '{"scores":"none"}' })
        yield* TestClock.adjust("100 millis")
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(scores(world.sent), [2])
      }),
    ),
  )

  it.effect("measures the way of what is published, and not of what is read or repeated", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_000)
        const publish = Effect.andThen(
          world.notify(published({ ...update(1), committedAt: 600, publishedAt: 900 })),
          TestClock.adjust("1 millis"),
        )
        const published1 = hopDuring("commit-sockets", publish)
        assert.deepStrictEqual(yield* hopDuring("redis-hub", published1), { count: 1, millis: 100 })
        const again = Effect.gen(function* () {
          world.key = update(2)
          yield* world.notify({ _tag: "Subscribed" })
          yield* TestClock.adjust("16 seconds")
        })
        assert.deepStrictEqual(yield* hopDuring("commit-sockets", again), { count: 0, millis: 0 })
        assert.deepStrictEqual(scores(world.sent).slice(0, 2), [1, 2])
      }),
    ),
  )

  it.effect("counts the wait for the interval to the way from the hub to the sockets", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(1)))
        yield* TestClock.adjust("10 millis")
        const second = Effect.andThen(world.notify(published(update(2))), TestClock.adjust("60 millis"))
        assert.deepStrictEqual(yield* hopDuring("hub-sockets", second), { count: 1, millis: 40 })
      }),
    ),
  )

  it.effect("repeats the board after 15 seconds of silence", () =>
    withSockets((world) =>
      Effect.gen(function* () {
        yield* world.notify(published(update(1)))
        yield* TestClock.adjust("14 seconds")
        assert.strictEqual(world.sent.length, 1)
        yield* TestClock.adjust("31 seconds")
        assert.deepStrictEqual(scores(world.sent), [1, 1, 1])
      }),
    ),
  )
})

describe("formOf", () => {
  it.each([
    ["/scores/websocket", "plain"],
    ["/scores/websocket?", "plain"],
    ["/scores/websocket?unstamped", "plain"],
    ["/scores/websocket?stamped", "stamped"],
    ["/scores/websocket?stamped=1", "stamped"],
    ["/scores/websocket?a=b&stamped=", "stamped"],
    ["/scores/websocket?%E0%A4%A&stamped", "stamped"],
  ] as const)("takes %s for %s", (url, form) => {
    assert.strictEqual(formOf(url), form)
  })
})
