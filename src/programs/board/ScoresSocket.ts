import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { supersedes } from "../../domain/NewerBoard.ts"
import { type BoardUpdate, encodePublicBoard, encodeStampedBoard } from "../../domain/Messages.ts"
import { Redis } from "../../services/Redis/Redis.ts"
import { type Form, SocketHub } from "../../services/SocketHub/SocketHub.ts"
import { Board } from "./Board.ts"
import { decodeBoard } from "./ShownBoard.ts"
import { measureHop } from "../observe/Freshness.ts"
import { makeModeration, moderated } from "../../foundation/Moderation.ts"
import { survivingDefects } from "../../foundation/SurvivingDefects.ts"

/** After this long without a new board the current one is sent again: clients give a silent connection up after 40 s. */
const REPEAT_AFTER = Duration.seconds(15)

/** How long a repeat waits for the board that is read before it. A later one is sent when it arrives. */
const REREAD_LIMIT = Duration.millis(100)

/** Between two attempts to read the board after a (re)subscription. */
const rereadSchedule = Schedule.spaced("1 second")

/** The path on which sockets are opened. From the brief. */
export const SOCKET_PATH = "/scores/websocket"

/**
 * The form of boards that a viewer wants, by the URL it connects to: `?stamped`, whatever its value, asks for the stamp
 * of every board. It is not a subprotocol, because browsers close a connection whose server accepts none of those that
 * were offered.
 */
export const formOf = (url: string): Form =>
  new URL(url, "http://host").searchParams.has("stamped") ? "stamped" : "plain"

/**
 * How broadcasts are moderated; `BROADCAST_INTERVAL` is their longest pause. Up to some 1,000 sockets they take
 * at most a tenth of a core: the writes to 20 sockets pause for 2 ms, those to 1,000 for all of the 50 ms. A screen shows
 * 60 pictures a second, so boards that come within 16 ms of one another may share a broadcast.
 */
const MODERATION = { pausePerCost: 9, mergeMillis: 16 }

export const scoresSocketConfig = {
  interval: Config.Duration("BROADCAST_INTERVAL").pipe(Config.withDefault(Duration.millis(50))),
}

/** A board to be sent to the sockets. */
interface Offer {
  readonly update: BoardUpdate
  /**
   * When this process received it, in milliseconds since 1970. Undefined if it was read, not published: then it may be
   * old and is not measured.
   */
  readonly heardAt: number | undefined
}

/** The newest board that this process knows, on its way to the sockets. */
const makeNewest = Effect.fnUntraced(function* (askForReread: Effect.Effect<unknown>) {
  const hub = yield* SocketHub
  const interval = yield* scoresSocketConfig.interval
  const boardEmail = yield* Board.config.email
  // One place: the newest board that waits for a broadcast replaces an older one.
  const waiting = yield* Queue.sliding<Offer>(1)
  const moderation = makeModeration({ ...MODERATION, longestMillis: Duration.toMillis(interval) })
  /** Boards taken since the last broadcast. */
  let offered = 0
  let newest: BoardUpdate | undefined
  /** The epoch of the last stamped board that this process read. Undefined until it has read one. */
  let readEpoch: string | undefined

  const hold = (update: BoardUpdate) =>
    hub.hold((form) =>
      form === "stamped"
        ? encodeStampedBoard(update, boardEmail)
        : encodePublicBoard(update.scores, boardEmail),
    )

  /** Takes a board unless a newer one is known. New connections get it at once: only broadcasts are paced. */
  const offer = (update: BoardUpdate, heardAt?: number) =>
    Effect.suspend(() => {
      if (newest !== undefined && !supersedes(update, newest)) return Effect.void
      newest = update
      offered++
      return Effect.andThen(hold(update), Queue.offer(waiting, { update, heardAt }))
    })

  /** The same for a board that was read: its epoch belongs to this installation. */
  const offerRead = (update: BoardUpdate) =>
    Effect.suspend(() => {
      readEpoch = update.epoch ?? readEpoch
      return offer(update)
    })

  /** Whether a published board may belong to another installation. A board without a stamp belongs to nobody. */
  const mayBeForeign = ({ epoch }: BoardUpdate) => epoch !== undefined && epoch !== readEpoch

  const send = Effect.fnUntraced(function* ({ update, heardAt }: Offer) {
    yield* hub.broadcast
    if (heardAt === undefined) return
    yield* measureHop("hub-sockets", heardAt)
    if (update.committedAt !== undefined) yield* measureHop("commit-sockets", update.committedAt)
  })

  const repeat = Effect.suspend(() =>
    newest === undefined ? Effect.void : Effect.andThen(hold(newest), hub.broadcast),
  )
  const counted = (sending: Effect.Effect<void>) =>
    Effect.map(sending, () => {
      const boards = offered
      offered = 0
      return boards
    })
  const nextWithin = (limit: Duration.Duration) => Effect.timeoutOption(Queue.take(waiting), limit)

  /**
   * One broadcast: of the next board, or of the current one after a silence. After a quiet moment a board is sent at
   * once. Those that arrive during the pause wait for its end, and only the newest of them is sent. A silence may mean
   * that boards were missed, so the board is read before it is sent again.
   */
  const broadcast = nextWithin(REPEAT_AFTER).pipe(
    Effect.flatMap((next) =>
      Option.isSome(next) ? Effect.succeed(next) : Effect.andThen(askForReread, nextWithin(REREAD_LIMIT)),
    ),
    Effect.flatMap((next) => moderated(moderation, counted(Option.isSome(next) ? send(next.value) : repeat))),
  )

  return { offer, offerRead, mayBeForeign, broadcast }
})

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const board = yield* Board
  // Boards that are published while the subscription is down are lost, so the board is read after each subscription, and
  // once a second while boards may not arrive; also at the start, when Redis may be unavailable: then the first viewers
  // get the board from PostgreSQL.
  const rereads = yield* Queue.sliding<void>(1)
  const askForReread = Queue.offer(rereads, undefined)
  const { offer, offerRead, mayBeForeign, broadcast } = yield* makeNewest(askForReread)
  yield* askForReread
  // The first read may be shared with a caller who asked before the board was published; the second begins after it.
  const reread = Effect.andThen(board.current, board.current).pipe(
    Effect.flatMap(({ update }) => offerRead(update)),
    Effect.tapError((error) => Effect.logWarning("The board could not be read for the sockets", error)),
    Effect.retry(rereadSchedule),
  )

  const hear = Effect.fnUntraced(function* (json: string) {
    const heardAt = yield* Clock.currentTimeMillis
    const decoded = yield* decodeBoard(json)
    // A channel reaches every database of a Redis, and so every installation on it. A published board of another epoch
    // is either the first after a restore or a foreign one: the installation's own key decides.
    if (Option.isNone(decoded) || mayBeForeign(decoded.value)) return yield* askForReread
    const { publishedAt } = decoded.value
    if (publishedAt !== undefined) yield* measureHop("redis-hub", publishedAt)
    return yield* offer(decoded.value, heardAt)
  })

  yield* Effect.forkScoped(
    Effect.forever(survivingDefects("A reread")(Effect.andThen(Queue.take(rereads), reread))),
  )
  yield* redis.notifications.pipe(
    Stream.runForEach((notification) =>
      notification._tag === "Published"
        ? survivingDefects("A notification")(hear(notification.json))
        : askForReread,
    ),
    Effect.forkScoped,
  )
  yield* Effect.forkScoped(Effect.forever(survivingDefects("A broadcast")(broadcast)))
})

/** Owns the board that the sockets show: the newest one that this process knows, never an older one after it. */
export const ScoresSocket = Layer.effectDiscard(make)
