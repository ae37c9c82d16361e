import { backoffMs } from "./Backoff.ts"
import { parseBoard } from "./BoardGuard.ts"
import type { Environment, ResponseLike } from "./Environment.ts"
import { request } from "./Request.ts"
import { readStampTag, type StampedScores } from "./Stamp.ts"

/** The average time from one answered poll to the next, start to start: rare enough for the server, often enough for the viewer. */
const POLL_INTERVAL_MS = 5_000

export interface BoardPollerHandlers {
  /** The server sent or confirmed this board at `confirmedAt` (ms since 1970), directly or through a cache. */
  readonly onBoard: (board: StampedScores, confirmedAt: number) => void
  /** A poll brought no board: it was refused, unreadable, or not answered. */
  readonly onMiss: () => void
}

/** The board of the last 200, and the tag with which the server can confirm it by a 304. */
interface LastAnswer extends StampedScores {
  readonly etag: string | null
}

/**
 * Reads the board at once and then about every 5 s, one request at a time, until the returned function is called. For
 * an unchanged board the server answers 304. While the server is away, the edge holds such a request for up to 8 s; the
 * next one then follows at once. After a failure the wait grows; it is never shorter than `Retry-After`.
 */
export const startPolling = (
  environment: Environment,
  url: string,
  handlers: BoardPollerHandlers,
): (() => void) => {
  const stopped = new AbortController()
  let last: LastAnswer | undefined
  let failures = 0
  let cancelNext = () => {}

  const read = async (response: ResponseLike): Promise<LastAnswer | undefined> => {
    if (response.status === 304) return last
    if (response.status !== 200) return undefined
    const scores = parseBoard(await response.text())
    const etag = response.headers.get("etag")
    return scores && { scores, stamp: readStampTag(etag), etag }
  }

  const miss = (waitSeconds: number): number => {
    handlers.onMiss()
    return Math.max(waitSeconds * 1_000, POLL_INTERVAL_MS / 2 + backoffMs(failures++, environment.random))
  }

  /** Polls once. Returns the wait before the next poll, in ms. */
  const poll = async (): Promise<number> => {
    const begun = environment.now()
    const headers: Record<string, string> = last?.etag ? { "If-None-Match": last.etag } : {}
    // `no-store` bypasses the browser's cache; a CDN may still answer.
    const answer = await request(
      environment,
      url,
      { headers, cache: "no-store", signal: stopped.signal },
      read,
    )
    if (stopped.signal.aborted) return 0
    if (answer?.body === undefined) return miss(answer?.retryAfterSeconds ?? 0)
    last = answer.body
    failures = 0
    const now = environment.now()
    handlers.onBoard(last, now - answer.ageMs)
    // The clock may have been set back meanwhile.
    const tookMs = Math.max(0, now - begun)
    return Math.max(0, POLL_INTERVAL_MS * (0.8 + 0.4 * environment.random()) - tookMs)
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
