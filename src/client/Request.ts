import { retryAfterSeconds } from "./Backoff.ts"
import type { Environment, RequestLike, ResponseLike } from "./Environment.ts"

/** Longest wait for a whole answer. The server gives up on a mute dependency after 3 s and says so. */
const ANSWER_LIMIT_MS = 10_000

export interface Answer<Body> {
  readonly status: number
  readonly body: Body
  /** From `Retry-After`, 0 to 3,600; undefined when the answer has none. */
  readonly retryAfterSeconds: number | undefined
  /** How long a cache on the way has held the answer, in milliseconds; 0 without a cache. */
  readonly ageMs: number
}

/** A request that is not tied to anything that may end before it. */
export interface Call extends Omit<RequestLike, "signal"> {
  /** Gives it up; without one, only its time limit does. */
  readonly signal?: AbortSignal
}

/**
 * One request with a time limit. Undefined when no answer came (no network, time over, `signal` aborted), so
 * whether the server acted on it is unknown. Leaves no timer.
 */
export const request = async <Body>(
  environment: Environment,
  url: string,
  init: Call,
  read: (response: ResponseLike) => Promise<Body>,
): Promise<Answer<Body> | undefined> => {
  const late = new AbortController()
  const cancelLimit = environment.after(ANSWER_LIMIT_MS, () => late.abort())
  try {
    const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal
    const response = await environment.fetch(url, { ...init, signal })
    return {
      status: response.status,
      body: await read(response),
      retryAfterSeconds: retryAfterSeconds(response.headers.get("retry-after"), environment.now()),
      ageMs: 1_000 * Math.max(0, Number(response.headers.get("age")) || 0),
    }
  } catch {
    // `fetch` rejects for every reason alike; the caller is told that there is no answer.
    return undefined
  } finally {
    cancelLimit()
  }
}
