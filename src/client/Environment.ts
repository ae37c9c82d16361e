/** The part of a `WebSocket` that the client uses. */
export interface SocketLike {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: "close" | "error", listener: () => void): void
  removeEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  removeEventListener(type: "close" | "error", listener: () => void): void
  close(): void
}

/** The part of a `Response` that the client uses. */
export interface ResponseLike {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  text(): Promise<string>
}

export interface RequestLike {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly cache?: "no-store"
  /** Whether the request continues after the page is closed. */
  readonly keepalive?: boolean
  readonly signal: AbortSignal
}

/** Everything that the client needs from the browser or from Node; `hostEnvironment` provides it. */
export interface Environment {
  /** Milliseconds since 1970. The wall clock, because a monotonic clock may stop while a laptop sleeps. */
  now(): number
  /** Uniform, 0 inclusive to 1 exclusive. */
  random(): number
  /** Calls `action` once after `delayMs`. The returned function cancels that and may be called at any time. */
  after(delayMs: number, action: () => void): () => void
  /** Throws if `url` is malformed. A refused connection is reported by a `close` event. */
  openSocket(url: string): SocketLike
  /** Rejects if no answer came. An answer of any status resolves. */
  fetch(url: string, request: RequestLike): Promise<ResponseLike>
  /** Whether the device reports a network. Only a hint: a device may report none and still reach the server. */
  isOnline(): boolean
  /** True while nobody can see the page. */
  isHidden(): boolean
  /** Calls `changed` after `isOnline` or `isHidden` may have changed, until the returned function is called. */
  watchPage(changed: () => void): () => void
}

interface EventSource {
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
}

/** The globals that a browser has and Node lacks. Without them, the process counts as online and visible. */
interface Page extends Partial<EventSource> {
  readonly document?: EventSource & { readonly visibilityState: string }
  readonly navigator?: { readonly onLine?: boolean }
}

const listen = (
  source: Partial<EventSource> | undefined,
  type: string,
  listener: () => void,
): (() => void) => {
  source?.addEventListener?.(type, listener)
  return () => source?.removeEventListener?.(type, listener)
}

/** Uses the globals of a browser, or of Node 22 or later. Each call looks them up anew, so a test may replace them. */
export const hostEnvironment = (): Environment => {
  // This source runs with and without a DOM, so neither the types of a browser nor those of Node fit.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const page = globalThis as Page
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs)
      return () => clearTimeout(timer)
    },
    openSocket: (url) => new WebSocket(url),
    fetch: (url, request) => fetch(url, request),
    isOnline: () => page.navigator?.onLine !== false,
    isHidden: () => page.document?.visibilityState === "hidden",
    watchPage: (changed) => {
      const stops = [
        listen(page.document, "visibilitychange", changed),
        listen(page, "online", changed),
        listen(page, "offline", changed),
      ]
      return () => stops.forEach((stop) => stop())
    },
  }
}
