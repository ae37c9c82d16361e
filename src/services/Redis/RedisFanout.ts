import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import type { BoardNotification } from "./Redis.ts"

/** How many notifications wait for one consumer. A board replaces the one before it, so few are enough. */
export const NOTIFICATION_CAPACITY = 16

/** The notifications that wait for one consumer: at most one `Subscribed`, always first, then later messages. */
interface Mailbox {
  readonly waiting: Array<BoardNotification>
  readonly filled: Latch.Latch
}

/** Gives the notifications of one subscription to any number of consumers. All members but the stream are synchronous. */
export interface RedisFanout {
  /** Call when the subscription is established. Idempotent: consumers receive one `Subscribed` until `lost`. */
  readonly subscribed: () => void
  /** Call when the subscription is lost. */
  readonly lost: () => void
  /** Call when a message arrives, which also proves that the subscription is established. */
  readonly published: (json: string) => void
  /** Call when boards may not arrive. A consumer that has something to read already is not told. */
  readonly doubtful: () => void
  readonly isSubscribed: () => boolean
  /** See `Redis.notifications`. */
  readonly notifications: Stream.Stream<BoardNotification>
}

const offer = ({ waiting, filled }: Mailbox, notification: BoardNotification) => {
  // The key has the newest board, so `Subscribed` replaces everything before it. It must never be dropped: nothing else
  // makes the consumer read the board that was published during an outage.
  if (notification._tag === "Subscribed") waiting.length = 0
  waiting.push(notification)
  if (waiting.length > NOTIFICATION_CAPACITY) waiting.splice(waiting[0]?._tag === "Subscribed" ? 1 : 0, 1)
  filled.openUnsafe()
}

const take = ({ waiting, filled }: Mailbox): Effect.Effect<BoardNotification> =>
  Effect.flatMap(filled.await, () => {
    const next = waiting.shift()
    if (waiting.length === 0) filled.closeUnsafe()
    return next === undefined ? Effect.die(new Error("An open mailbox is empty")) : Effect.succeed(next)
  })

/** Makes a fan-out whose subscription is not yet established. */
export const makeRedisFanout = (): RedisFanout => {
  const mailboxes = new Set<Mailbox>()
  let isSubscribed = false

  const subscribed = () => {
    if (isSubscribed) return
    isSubscribed = true
    for (const mailbox of mailboxes) offer(mailbox, { _tag: "Subscribed" })
  }
  const open = Effect.sync(() => {
    const mailbox: Mailbox = { waiting: [], filled: Latch.makeUnsafe(false) }
    mailboxes.add(mailbox)
    if (isSubscribed) offer(mailbox, { _tag: "Subscribed" })
    return mailbox
  })

  return {
    subscribed,
    lost: () => {
      isSubscribed = false
    },
    published: (json) => {
      subscribed()
      for (const mailbox of mailboxes) offer(mailbox, { _tag: "Published", json })
    },
    doubtful: () => {
      for (const mailbox of mailboxes) if (mailbox.waiting.length === 0) offer(mailbox, { _tag: "Doubtful" })
    },
    isSubscribed: () => isSubscribed,
    notifications: Stream.unwrap(
      Effect.acquireRelease(open, (mailbox) => Effect.sync(() => mailboxes.delete(mailbox))).pipe(
        Effect.map((mailbox) => Stream.fromEffectRepeat(take(mailbox))),
      ),
    ),
  }
}
