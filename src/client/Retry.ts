import { backoffMs } from "./Backoff.ts"
import type { Environment } from "./Environment.ts"

/** A 503 or silence is answered by at most this many attempts in all, over 7 to 15 s of waiting. */
const ATTEMPTS = 5

/** A longer `Retry-After` is handed to the player instead of keeping a press in the air. */
const LONGEST_WAIT_SECONDS = 8

/** The part of an outcome that decides: see `Failure`. */
interface Retryable {
  readonly kind: string
  readonly retryAfterSeconds?: number
}

/** Whether to try again, and after how many ms. */
const nextWaitMs = (outcome: Retryable, attempt: number, environment: Environment) => {
  if (attempt >= ATTEMPTS) return undefined
  // Half of the wait is certain, so that the attempts cannot all fall into the same bad second.
  const spreadMs = (backoffMs(attempt - 1, () => 1) + backoffMs(attempt - 1, environment.random)) / 2
  if (outcome.kind === "unanswered") return spreadMs
  const { kind, retryAfterSeconds = 0 } = outcome
  if (kind !== "unavailable" || retryAfterSeconds > LONGEST_WAIT_SECONDS) return undefined
  return retryAfterSeconds * 1_000 + spreadMs
}

/**
 * Repeats a request that the server does at most once, however often it comes, after a 503 or silence. The
 * outcome is that of the last attempt. `onRetry` runs before each repeat's wait. An abort of `signal` ends it with
 * what is known then.
 */
export const withRetry = async <Outcome extends Retryable>(
  environment: Environment,
  attempt: () => Promise<Outcome>,
  signal?: AbortSignal,
  onRetry: () => void = () => {},
): Promise<Outcome> => {
  for (let made = 1; ; made++) {
    const outcome = await attempt()
    const waitMs = nextWaitMs(outcome, made, environment)
    if (waitMs === undefined || signal?.aborted) return outcome
    onRetry()
    await pause(environment, waitMs, signal)
    if (signal?.aborted) return outcome
  }
}

const pause = (environment: Environment, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      cancel()
      signal?.removeEventListener("abort", done)
      resolve()
    }
    const cancel = environment.after(delayMs, done)
    signal?.addEventListener("abort", done)
  })
