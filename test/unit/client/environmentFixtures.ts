import { assert } from "@effect/vitest"
import type { Environment, RequestLike, ResponseLike, SocketLike } from "../../../src/client/Environment.ts"

type Listener = (event: { readonly data: unknown }) => void

/** A socket whose server is the test. */
export class FakeSocket implements SocketLike {
  readonly url: string
  readonly listeners = new Set<{ readonly type: string; readonly listener: Listener }>()
  isClosed = false

  constructor(url: string) {
    this.url = url
  }

  addEventListener(type: string, listener: Listener): void {
    this.listeners.add({ type, listener })
  }

  removeEventListener(type: string, listener: Listener): void {
    for (const entry of this.listeners) {
      if (entry.type === type && entry.listener === listener) this.listeners.delete(entry)
    }
  }

  close(): void {
    this.isClosed = true
  }

  emit(type: "message" | "close" | "error", data?: unknown): void {
    for (const entry of Array.from(this.listeners)) if (entry.type === type) entry.listener({ data })
  }

  send(
    scores: ReadonlyArray<{ readonly email: string; readonly score: number }>,
    stamp: { readonly epoch?: string; readonly version?: number } = {},
  ): void {
    this.emit("message", JSON.stringify({ scores, ...stamp }))
  }
}

export interface FakeRequest extends RequestLike {
  readonly url: string
  /** When the request was sent, in ms. */
  readonly at: number
}

/** The answer of the test to one request. */
export interface FakeAnswer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** A fake browser. Time passes only in `advance`, and the test decides what the network does. */
export class FakeEnvironment implements Environment {
  time = 1_000_000
  /** What `random` returns: 1 makes every jittered wait its upper bound. */
  chance = 1
  online = true
  hidden = false
  answer: (request: FakeRequest) => FakeAnswer | undefined | Promise<FakeAnswer | undefined> = () => undefined
  readonly sockets: FakeSocket[] = []
  readonly requests: FakeRequest[] = []
  readonly timers = new Set<{ readonly at: number; readonly action: () => void }>()
  readonly pageListeners = new Set<() => void>()

  now = () => this.time
  random = () => this.chance
  isOnline = () => this.online
  isHidden = () => this.hidden

  after = (delayMs: number, action: () => void) => {
    const timer = { at: this.time + delayMs, action }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  openSocket = (url: string) => {
    const socket = new FakeSocket(url)
    this.sockets.push(socket)
    return socket
  }

  fetch = async (url: string, init: RequestLike): Promise<ResponseLike> => {
    const request = { ...init, url, at: this.time }
    this.requests.push(request)
    const aborted = new Promise<undefined>((resolve) => {
      init.signal.addEventListener("abort", () => resolve(undefined))
    })
    const answer = await Promise.race([this.answer(request), aborted])
    if (answer === undefined) throw new TypeError("no answer")
    const headers = new Map(Object.entries(answer.headers ?? {}))
    return {
      status: answer.status,
      headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
      text: async () => JSON.stringify(answer.body ?? {}),
    }
  }

  watchPage = (changed: () => void) => {
    this.pageListeners.add(changed)
    return () => void this.pageListeners.delete(changed)
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    assert.isDefined(socket)
    return socket
  }

  /** Hides or shows the page, or takes it offline or online, and notifies its listeners. */
  async page(change: { readonly online?: boolean; readonly hidden?: boolean }): Promise<void> {
    Object.assign(this, change)
    for (const changed of this.pageListeners) changed()
    await this.settle()
  }

  /** Lets `ms` pass: runs all timers that become due, in order, and everything that follows from them. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    await this.settle()
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers.delete(due)
      this.time = due.at
      due.action()
      await this.settle()
    }
    this.time = end
  }

  /** Lets all promises that can settle do so. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** Fails if any timer, listener or socket remains. */
  assertNothingLeft(): void {
    assert.strictEqual(this.timers.size, 0, "timers")
    assert.strictEqual(this.pageListeners.size, 0, "page listeners")
    for (const socket of this.sockets) {
      assert.isTrue(socket.isClosed, "open socket")
      assert.strictEqual(socket.listeners.size, 0, "socket listeners")
    }
  }
}
