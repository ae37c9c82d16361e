import { retryAfterSeconds } from "./Backoff.ts"
import type { Environment, RequestLike, ResponseLike } from "./Environment.ts"

/** Longest wait for a complete answer. The server itself answers 503 when a dependency does not respond for 3 s. */
const ANSWER_LIMIT_MS = 10_000

export interface Answer<Body> {
  readonly status: number
  readonly body: Body
  /** From `Retry-After`, 0 to 3,600; undefined when the answer has none. */
  readonly retryAfterSeconds: number | undefined
  /** How long a cache between server and client has stored the answer (`Age`), in ms; 0 without a cache. */
  readonly ageMs: number
}

/** A request whose `signal` is optional. */
export interface Call extends Omit<RequestLike, "signal"> {
  /** Cancels the request. Without a signal, only the time limit ends it. */
  readonly signal?: AbortSignal
}

/**
 * Sends one request, with a time limit of 10 s. Returns undefined if no answer came (no network, time limit, `signal`
 * aborted); then it is unknown whether the server acted on the request. Leaves no timer.
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
    // `fetch` rejects in the same way for every cause. The caller only needs to know that there was no answer.
    return undefined
  } finally {
    cancelLimit()
  }
}
