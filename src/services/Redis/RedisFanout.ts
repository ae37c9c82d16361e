import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import type { BoardNotification } from "./Redis.ts"

/** How many notifications wait for one consumer. A board replaces the one before, so a few are plenty. */
export const NOTIFICATION_CAPACITY = 16

/** What waits for one consumer: at most one `Subscribed`, always first, then what was published after it. */
interface Mailbox {
  readonly waiting: Array<BoardNotification>
  readonly filled: Latch.Latch
}

/** Hands the notifications of one subscription to any number of consumers. All members but the stream are synchronous. */
export interface RedisFanout {
  /** The subscription stands. Idempotent: consumers hear it once until `lost`. */
  readonly subscribed: () => void
  /** The subscription does not stand any more. */
  readonly lost: () => void
  /** A message came, which also proves that the subscription stands. */
  readonly published: (json: string) => void
  readonly isSubscribed: () => boolean
  /** See `Redis.notifications`. */
  readonly notifications: Stream.Stream<BoardNotification>
}

const offer = ({ waiting, filled }: Mailbox, notification: BoardNotification) => {
  // The key holds the newest board, so `Subscribed` stands for everything before it. It must never be lost
  // itself: nothing else makes the consumer read what was published during an outage.
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

/** A fan-out whose subscription does not stand yet. */
export const makeRedisFanout = (): RedisFanout => {
  const mailboxes = new Set<Mailbox>()
  let stands = false

  const subscribed = () => {
    if (stands) return
    stands = true
    for (const mailbox of mailboxes) offer(mailbox, { _tag: "Subscribed" })
  }
  const open = Effect.sync(() => {
    const mailbox: Mailbox = { waiting: [], filled: Latch.makeUnsafe(false) }
    mailboxes.add(mailbox)
    if (stands) offer(mailbox, { _tag: "Subscribed" })
    return mailbox
  })

  return {
    subscribed,
    lost: () => {
      stands = false
    },
    published: (json) => {
      subscribed()
      for (const mailbox of mailboxes) offer(mailbox, { _tag: "Published", json })
    },
    isSubscribed: () => stands,
    notifications: Stream.unwrap(
      Effect.acquireRelease(open, (mailbox) => Effect.sync(() => mailboxes.delete(mailbox))).pipe(
        Effect.map((mailbox) => Stream.fromEffectRepeat(take(mailbox))),
      ),
    ),
  }
}
