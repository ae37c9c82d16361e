import type { Environment } from "./Environment.ts"
import { request } from "./Request.ts"
import { backoffMs } from "./Backoff.ts"

/** A 503 or silence is answered by at most this many attempts in all, over 7 to 15 s of waiting. */
const ATTEMPTS = 5

/** A longer `Retry-After` is handed to the player instead of keeping a press in the air. */
const LONGEST_WAIT_SECONDS = 8

/** Used when a 429 or 503 says nothing about when to come back. */
const DEFAULT_WAIT_SECONDS = 5

export type Failure =
  /** 429: not done; may be tried again after the wait. */
  | { readonly kind: "limited"; readonly retryAfterSeconds: number }
  /** 503: something the server needs is away. */
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  /** No answer at all: whether it was done is unknown. */
  | { readonly kind: "unanswered" }
  /** Any other status: trying again would not help. */
  | { readonly kind: "refused"; readonly status: number }

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

export type SignInOutcome =
  | { readonly kind: "signedIn"; readonly tokens: Tokens }
  /** 401: no such player, or another password; the server does not say which. */
  | { readonly kind: "wrong" }
  | Failure

export type IncrementOutcome =
  /** Committed, exactly once for its key. */
  | { readonly kind: "counted" }
  /** 401: the access token is no longer accepted. */
  | { readonly kind: "expired" }
  | Failure

const failure = (
  answer: { readonly status: number; readonly retryAfterSeconds: number | undefined } | undefined,
): Failure => {
  if (answer === undefined) return { kind: "unanswered" }
  const retryAfterSeconds = answer.retryAfterSeconds ?? DEFAULT_WAIT_SECONDS
  if (answer.status === 429) return { kind: "limited", retryAfterSeconds }
  if (answer.status === 503) return { kind: "unavailable", retryAfterSeconds }
  // A gateway that lost its server (502, 504) or a server that broke (500) leaves the outcome unknown.
  return answer.status >= 500 ? { kind: "unanswered" } : { kind: "refused", status: answer.status }
}

const parseTokens = (text: string): Tokens | undefined => {
  const value: unknown = JSON.parse(text)
  if (typeof value !== "object" || value === null) return undefined
  const { accessToken, refreshToken }: { accessToken?: unknown; refreshToken?: unknown } = value
  return typeof accessToken === "string" && typeof refreshToken === "string"
    ? { accessToken, refreshToken }
    : undefined
}

/** `POST /users/auth/login`, once. */
export const signIn = async (
  environment: Environment,
  url: string,
  credentials: { readonly email: string; readonly password: string },
  signal: AbortSignal,
): Promise<SignInOutcome> => {
  const answer = await request(
    environment,
    new URL("/users/auth/login", url).href,
    {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(credentials),
      signal,
    },
    async (response) => (response.status === 200 ? parseTokens(await response.text()) : undefined),
  )
  if (answer?.body) return { kind: "signedIn", tokens: answer.body }
  return answer?.status === 401 ? { kind: "wrong" } : failure(answer)
}

const attemptIncrement = async (
  environment: Environment,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncrementOutcome> => {
  const answer = await request(
    environment,
    new URL("/scores/increment", url).href,
    { method: "POST", headers, signal },
    (response) => response.text(),
  )
  if (answer?.status === 200) return { kind: "counted" }
  return answer?.status === 401 ? { kind: "expired" } : failure(answer)
}

/** Whether to try again, and after how many ms. Only outcomes that the same key makes safe to repeat. */
const nextWaitMs = (outcome: IncrementOutcome, attempt: number, environment: Environment) => {
  if (attempt >= ATTEMPTS) return undefined
  // Half of the wait is certain, so that the attempts cannot all fall into the same bad second.
  const spreadMs = (backoffMs(attempt - 1, () => 1) + backoffMs(attempt - 1, environment.random)) / 2
  if (outcome.kind === "unanswered") return spreadMs
  if (outcome.kind !== "unavailable" || outcome.retryAfterSeconds > LONGEST_WAIT_SECONDS) return undefined
  return outcome.retryAfterSeconds * 1_000 + spreadMs
}

/**
 * `POST /scores/increment`, repeated after a 503 or silence with the same `Idempotency-Key`, so that the server
 * counts it at most once. The outcome is that of the last attempt. `onRetry` runs before each repeat's wait.
 * An abort of `signal` ends it with what is known then.
 */
export const incrementOnce = async (
  environment: Environment,
  url: string,
  press: { readonly accessToken: string; readonly key: string; readonly onRetry?: () => void },
  signal: AbortSignal,
): Promise<IncrementOutcome> => {
  const headers = { Authorization: `Bearer ${press.accessToken}`, "Idempotency-Key": press.key }
  for (let attempt = 1; ; attempt++) {
    const outcome = await attemptIncrement(environment, url, headers, signal)
    const waitMs = nextWaitMs(outcome, attempt, environment)
    if (waitMs === undefined || signal.aborted) return outcome
    press.onRetry?.()
    await pause(environment, waitMs, signal)
    if (signal.aborted) return outcome
  }
}

const pause = (environment: Environment, delayMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      cancel()
      signal.removeEventListener("abort", done)
      resolve()
    }
    const cancel = environment.after(delayMs, done)
    signal.addEventListener("abort", done)
  })
