import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { supersedes } from "../../domain/BoardOrder.ts"
import { type BoardUpdate, encodePublicBoard, encodeStampedBoard } from "../../domain/Messages.ts"
import { Redis } from "../../services/Redis/Redis.ts"
import { type Form, SocketHub } from "../../services/SocketHub/SocketHub.ts"
import { Board, decodeBoard } from "./Board.ts"
import { measureHop } from "../observe/Freshness.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** Silence after which the current board is sent again: clients call 40 s of silence dead. */
const REPEAT_AFTER = Duration.seconds(15)

/** How soon a board that could not be read after a (re)subscription is asked for again. */
const rereadSchedule = Schedule.spaced("1 second")

/** The path on which sockets are opened. From the brief. */
export const SOCKET_PATH = "/scores/websocket"

/**
 * What a viewer wants by the address it dials: `?stamped`, whatever its value, asks for the stamp of every board.
 * Not a subprotocol: browsers end a connection whose server answers to none of those that were offered.
 */
export const formOf = (url: string): Form =>
  new URL(url, "http://host").searchParams.has("stamped") ? "stamped" : "plain"

/** A board to be sent, and how it came. */
interface Offer {
  readonly update: BoardUpdate
  /** When it was published to this process, in milliseconds since 1970; none when it was read: it may be old. */
  readonly heardAt: number | undefined
}

export const scoresSocketConfig = {
  interval: Config.Duration("BROADCAST_INTERVAL").pipe(Config.withDefault(Duration.millis(50))),
}

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const board = yield* Board
  const hub = yield* SocketHub
  const interval = yield* scoresSocketConfig.interval
  const boardEmail = yield* Board.config.email
  // One place: the newest board waiting to be sent takes the place of an older one.
  const next = yield* Queue.sliding<Offer>(1)
  let offered: BoardUpdate | undefined

  const hold = (update: BoardUpdate) =>
    hub.hold((form) =>
      form === "stamped"
        ? encodeStampedBoard(update, boardEmail)
        : encodePublicBoard(update.scores, boardEmail),
    )

  // Who connects has nothing to be paced: the hub has every board before it waits for its broadcast.
  const offer = (update: BoardUpdate, heardAt?: number) =>
    Effect.suspend(() => {
      if (offered !== undefined && !supersedes(update, offered)) return Effect.void
      offered = update
      return Effect.andThen(hold(update), Queue.offer(next, { update, heardAt }))
    })

  const hear = Effect.fnUntraced(function* (json: string) {
    const heardAt = yield* Clock.currentTimeMillis
    const decoded = yield* decodeBoard(json)
    if (Option.isNone(decoded)) return yield* Queue.offer(rereads, undefined)
    const update = decoded.value
    if (update.publishedAt !== undefined) yield* measureHop("redis-hub", update.publishedAt)
    return yield* offer(update, heardAt)
  })

  // What was published while the subscription was away is lost, so the board is read again.
  const reread = board.current.pipe(
    Effect.flatMap(({ update }) => offer(update)),
    Effect.tapError((error) => Effect.logWarning("The board could not be read for the sockets", error)),
    Effect.retry(rereadSchedule),
  )
  const rereads = yield* Queue.sliding<void>(1)
  // Redis may be away at the start: the first viewers see what PostgreSQL has.
  yield* Queue.offer(rereads, undefined)
  yield* Effect.forkScoped(
    Effect.forever(survivingDefects("A reread")(Effect.andThen(Queue.take(rereads), reread))),
  )

  yield* redis.notifications.pipe(
    Stream.runForEach((notification) =>
      notification._tag === "Subscribed"
        ? Queue.offer(rereads, undefined)
        : survivingDefects("A notification")(hear(notification.json)),
    ),
    Effect.forkScoped,
  )

  // The first update goes at once; what comes within the interval waits for its end, and only the newest of it.
  const pace = Effect.gen(function* () {
    const taken = yield* Effect.timeoutOption(Queue.take(next), REPEAT_AFTER)
    if (Option.isSome(taken)) {
      const { update, heardAt } = taken.value
      yield* hub.broadcast
      if (heardAt !== undefined) yield* measureHop("hub-sockets", heardAt)
      if (heardAt !== undefined && update.committedAt !== undefined) {
        yield* measureHop("commit-sockets", update.committedAt)
      }
    } else if (offered !== undefined) {
      yield* Effect.andThen(hold(offered), hub.broadcast)
    }
    yield* Effect.sleep(interval)
  })
  yield* Effect.forkScoped(Effect.forever(survivingDefects("A broadcast")(pace)))
})

/** Owns what the sockets show: the newest board this process has heard of, never an older one. */
export const ScoresSocket = Layer.effectDiscard(make)
