/** Used when a 429 or 503 says nothing about when to come back. */
const DEFAULT_WAIT_SECONDS = 5

/** Why a request did not bring what it was for. */
export type Failure =
  /** 429: not done; may be tried again after the wait. */
  | { readonly kind: "limited"; readonly retryAfterSeconds: number }
  /** 503: something the server needs is away. */
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  /** No answer at all: whether it was done is unknown. */
  | { readonly kind: "unanswered" }
  /** Any other status: trying again would not help. */
  | { readonly kind: "refused"; readonly status: number }

/** 401: the access token is no longer accepted. */
export interface Expired {
  readonly kind: "expired"
}

/** What an answer that is no success means; undefined stands for no answer. */
export const failureOf = (
  answer: { readonly status: number; readonly retryAfterSeconds: number | undefined } | undefined,
): Failure => {
  if (answer === undefined) return { kind: "unanswered" }
  const retryAfterSeconds = answer.retryAfterSeconds ?? DEFAULT_WAIT_SECONDS
  if (answer.status === 429) return { kind: "limited", retryAfterSeconds }
  if (answer.status === 503) return { kind: "unavailable", retryAfterSeconds }
  // A gateway that lost its server (502, 504) or a server that broke (500) leaves the outcome unknown.
  return answer.status >= 500 ? { kind: "unanswered" } : { kind: "refused", status: answer.status }
}
