import { backoffMs } from "./Backoff.ts"
import type { Environment } from "./Environment.ts"

/** Attempts in total when the server answers 503 or not at all. The waits between them add up to 7 to 15 s. */
const ATTEMPTS = 5

/** With a longer `Retry-After`, the retries stop and the player is told, so that no press stays pending for long. */
const LONGEST_WAIT_SECONDS = 8

/** The part of an outcome that decides whether to retry: see `Failure`. */
interface Retryable {
  readonly kind: string
  readonly retryAfterSeconds?: number
}

/** How many ms to wait before the next attempt; undefined if there should be none. `attempt` counts from 1. */
const nextWaitMs = (outcome: Retryable, attempt: number, environment: Environment) => {
  if (attempt >= ATTEMPTS) return undefined
  // Half of the wait is fixed, so that the attempts cannot all happen within one bad second.
  const spreadMs = (backoffMs(attempt - 1, () => 1) + backoffMs(attempt - 1, environment.random)) / 2
  if (outcome.kind === "unanswered") return spreadMs
  const { kind, retryAfterSeconds = 0 } = outcome
  if (kind !== "unavailable" || retryAfterSeconds > LONGEST_WAIT_SECONDS) return undefined
  return retryAfterSeconds * 1_000 + spreadMs
}

/**
 * Sends an idempotent request, and repeats it while the server answers 503 or not at all. Returns the outcome of the
 * last attempt. `onRetry` is called before the wait of each repeat. When `signal` is aborted, returns the outcome so
 * far.
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
