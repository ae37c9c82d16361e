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
  /** Whether it goes on after the page is closed. */
  readonly keepalive?: boolean
  readonly signal: AbortSignal
}

/** Everything the client takes from its surroundings. `hostEnvironment` takes it from a browser or from Node. */
export interface Environment {
  /** Milliseconds since 1970. The wall clock on purpose: a monotonic one may stand still while a laptop sleeps. */
  now(): number
  /** Uniform, 0 inclusive to 1 exclusive. */
  random(): number
  /** Runs `action` once after `delayMs`; the returned function cancels it and may be called at any time. */
  after(delayMs: number, action: () => void): () => void
  /** Throws for an address that is none; a refusal arrives as a `close` event. */
  openSocket(url: string): SocketLike
  /** Rejects when no answer came; any status is an answer. */
  fetch(url: string, request: RequestLike): Promise<ResponseLike>
  /** False only when the device knows that it has no network. */
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

/** What a browser has and Node lacks: there a process counts as online and visible. */
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

/** The globals of a browser, or of Node 22 or later. Looked up at each call, so that a test may replace one. */
export const hostEnvironment = (): Environment => {
  // One source for hosts with and without a DOM: the types of neither fit.
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
