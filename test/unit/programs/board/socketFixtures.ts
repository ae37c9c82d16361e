import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { supersedes } from "../../../../src/domain/NewerBoard.ts"
import { type BoardUpdate, PublicBoard } from "../../../../src/domain/Messages.ts"
import { Board } from "../../../../src/programs/board/Board.ts"
import { show } from "../../../../src/programs/board/ShownBoard.ts"
import { ScoresSocket } from "../../../../src/programs/board/ScoresSocket.ts"
import { type BoardNotification, Redis } from "../../../../src/services/Redis/Redis.ts"
import { type Form, SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import { SqlFailure } from "../../../../src/services/Sql/Sql.ts"

export const update = (version: number, epoch = "epoch"): BoardUpdate => ({
  scores: [{ email: epoch, score: version }],
  epoch,
  version,
  committedAt: 1,
})
export const published = (board: BoardUpdate): BoardNotification => ({
  _tag: "Published",
  json: JSON.stringify(board),
})

export interface World {
  /** Every text that was broadcast, in its plain form. */
  readonly sent: Array<string>
  /** What newcomers get. */
  held: (form: Form) => string
  /** What a read of the board gives; none = it fails. */
  key: BoardUpdate | undefined
  /** How long a read takes, in milliseconds. */
  readMillis: number
  /** How long a broadcast takes, in milliseconds, after the text was sent. */
  broadcastMillis: number
  /** A read as `Board.current` shares it: whoever asks while it runs gets its result. */
  readonly current: Effect.Effect<unknown, SqlFailure>
  readonly notify: (notification: BoardNotification) => Effect.Effect<unknown>
  /** Stores a board unless a newer one is stored, and publishes it. */
  readonly publish: (board: BoardUpdate) => Effect.Effect<unknown>
}

const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))
export const scores = (sent: ReadonlyArray<string>) => sent.map((text) => decodeBoard(text).scores[0]?.score)

export const withSockets = <A, E>(test: (world: World) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const notifications = yield* Queue.unbounded<BoardNotification>()
    const notify = (one: BoardNotification) => Queue.offer(notifications, one)
    const current = yield* Effect.cachedWithTTL(
      Effect.suspend(() => {
        const read =
          world.key === undefined
            ? Effect.fail(new SqlFailure({ operation: "top", cause: new Error("away") }))
            : Effect.succeed(show(world.key))
        return world.readMillis === 0 ? read : Effect.delay(read, world.readMillis)
      }),
      Duration.negativeInfinity,
    )
    const world: World = {
      sent: [],
      held: () => "",
      key: undefined,
      readMillis: 0,
      broadcastMillis: 0,
      current,
      notify,
      publish: (board) =>
        Effect.suspend(() => {
          if (world.key === undefined || supersedes(board, world.key)) world.key = board
          return notify(published(board))
        }),
    }
    const services = Layer.mergeAll(
      Layer.mock(Redis)({ notifications: Stream.fromQueue(notifications) }),
      Layer.mock(Board)({ current }),
      Layer.mock(SocketHub)({
        accept: () => undefined,
        hold: (text) => Effect.sync(() => void (world.held = text)),
        broadcast: Effect.suspend(() => {
          world.sent.push(world.held("plain"))
          return world.broadcastMillis === 0 ? Effect.void : Effect.sleep(world.broadcastMillis)
        }),
      }),
      ConfigProvider.layer(ConfigProvider.fromUnknown({ BROADCAST_INTERVAL: "50 millis" })),
    )
    return yield* test(world).pipe(Effect.provide(ScoresSocket.pipe(Layer.provide(services))))
  })
