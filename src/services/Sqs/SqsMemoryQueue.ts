import type { OutgoingMessage, ReceivedMessage } from "./Sqs.ts"

/** One message in exactly one chain; `receipt` is that of its last receive. */
interface Entry {
  readonly id: string
  readonly message: OutgoingMessage
  receiveCount: number
  receipt: string
  /** When it may be received again, in milliseconds; of meaning while it is in flight. */
  visibleAt: number
  chain: Chain
  previous: Entry | undefined
  next: Entry | undefined
}

/** A message that was received too often without being deleted. */
export interface GivenUp {
  readonly id: string
  readonly message: OutgoingMessage
}

/** A doubly linked list: first in first out, and any entry leaves at the same small cost. */
class Chain {
  first: Entry | undefined = undefined
  last: Entry | undefined = undefined

  append(entry: Entry) {
    entry.chain = this
    entry.previous = this.last
    entry.next = undefined
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
  }

  remove(entry: Entry) {
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
  }
}

/**
 * The state of a queue with a visibility timeout. Every operation costs the messages it gives back, never the
 * messages it holds: one visibility timeout for all makes the order of receives the order of their expiry.
 * Times are milliseconds of any one clock.
 */
export class MemoryQueue {
  private readonly options: {
    readonly visibilityMillis: number
    readonly maxReceiveCount: number
    readonly maxMessages: number
  }
  private readonly ready = new Chain()
  private readonly inFlight = new Chain()
  private readonly byReceipt = new Map<string, Entry>()
  private size = 0
  private sent = 0

  constructor(options: MemoryQueue["options"]) {
    this.options = options
  }

  /** When the next message in flight may be received again; none when none is in flight. */
  get nextExpiry(): number | undefined {
    return this.inFlight.first?.visibleAt
  }

  /** Adds a message; false when the queue is full. */
  offer(message: OutgoingMessage): boolean {
    if (this.size >= this.options.maxMessages) return false
    this.size += 1
    this.sent += 1
    this.ready.append({
      id: String(this.sent),
      message,
      receiveCount: 0,
      receipt: "",
      visibleAt: 0,
      chain: this.ready,
      previous: undefined,
      next: undefined,
    })
    return true
  }

  /** Ends the flight of what was received and not deleted in time, and gives what was received too often. */
  expire(now: number): ReadonlyArray<GivenUp> {
    const givenUp: Array<GivenUp> = []
    for (let entry = this.inFlight.first; entry !== undefined; entry = this.inFlight.first) {
      if (entry.visibleAt > now) break
      this.inFlight.remove(entry)
      if (entry.receiveCount < this.options.maxReceiveCount) {
        this.ready.append(entry)
      } else {
        this.byReceipt.delete(entry.receipt)
        this.size -= 1
        givenUp.push(entry)
      }
    }
    return givenUp
  }

  /** Receives up to `limit` messages, oldest first; each gets a new receipt, which ends the one before. */
  take(limit: number, now: number): ReadonlyArray<ReceivedMessage> {
    const messages: Array<ReceivedMessage> = []
    while (messages.length < limit && this.ready.first !== undefined) {
      const entry = this.ready.first
      this.ready.remove(entry)
      this.byReceipt.delete(entry.receipt)
      entry.receiveCount += 1
      entry.receipt = `${entry.id}-${entry.receiveCount}`
      entry.visibleAt = now + this.options.visibilityMillis
      this.byReceipt.set(entry.receipt, entry)
      this.inFlight.append(entry)
      const { id, receipt, receiveCount } = entry
      const { body, attributes } = entry.message
      messages.push({ id, receipt, body, attributes, receiveCount })
    }
    return messages
  }

  /** Removes a message by its last receipt, also when it is visible again; an older receipt does nothing. */
  delete(receipt: string): void {
    const entry = this.byReceipt.get(receipt)
    if (entry === undefined) return
    this.byReceipt.delete(receipt)
    entry.chain.remove(entry)
    this.size -= 1
  }
}
