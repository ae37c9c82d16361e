import { backoffMs } from "./Backoff.ts"
import { parseBoard } from "./BoardGuard.ts"
import type { Environment, ResponseLike } from "./Environment.ts"
import { request } from "./Request.ts"
import { readStampTag, type StampedScores } from "./Stamp.ts"

/** Between two polls that were answered: a second-hand board, but never one that looks abandoned. */
const POLL_INTERVAL_MS = 5_000

export interface BoardPollerHandlers {
  /** The server, or a cache that got it then, gave or confirmed this board at `confirmedAt` (ms since 1970). */
  readonly onBoard: (board: StampedScores, confirmedAt: number) => void
  /** No board: refused, unreadable, or no answer. */
  readonly onMiss: () => void
}

/** What the last full answer said, and the tag under which it can be confirmed. */
interface Held extends StampedScores {
  readonly etag: string | null
}

/**
 * Asks for the board at once and then about every 5 s until the returned function is called, one request at a
 * time. An unchanged board costs a 304. After a failure it waits longer, and never less than `Retry-After`.
 */
export const startPolling = (
  environment: Environment,
  url: string,
  handlers: BoardPollerHandlers,
): (() => void) => {
  const stopped = new AbortController()
  let held: Held | undefined
  let failures = 0
  let cancelNext = () => {}

  const read = async (response: ResponseLike): Promise<Held | undefined> => {
    if (response.status === 304) return held
    if (response.status !== 200) return undefined
    const scores = parseBoard(await response.text())
    const etag = response.headers.get("etag")
    return scores && { scores, stamp: readStampTag(etag), etag }
  }

  const miss = (waitSeconds: number): number => {
    handlers.onMiss()
    return Math.max(waitSeconds * 1_000, POLL_INTERVAL_MS / 2 + backoffMs(failures++, environment.random))
  }

  /** One poll; how long to wait before the next, in ms. */
  const poll = async (): Promise<number> => {
    const headers: Record<string, string> = held?.etag ? { "If-None-Match": held.etag } : {}
    // `no-store` keeps the browser's own cache out of it; a CDN still answers for everyone.
    const answer = await request(
      environment,
      url,
      { headers, cache: "no-store", signal: stopped.signal },
      read,
    )
    if (stopped.signal.aborted) return 0
    if (answer?.body === undefined) return miss(answer?.retryAfterSeconds ?? 0)
    held = answer.body
    failures = 0
    handlers.onBoard(held, environment.now() - answer.ageMs)
    return POLL_INTERVAL_MS * (0.8 + 0.4 * environment.random())
  }

  const loop = () => {
    void poll().then((waitMs) => {
      if (!stopped.signal.aborted) cancelNext = environment.after(waitMs, loop)
    })
  }

  loop()
  return () => {
    stopped.abort()
    cancelNext()
  }
}
