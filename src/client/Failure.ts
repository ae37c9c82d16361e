/** The wait after a 429 or 503 without a usable `Retry-After`. */
const DEFAULT_WAIT_SECONDS = 5

/** Why a request failed. */
export type Failure =
  /** 429: the server did not act on this request; an earlier attempt may have succeeded. Try again after the wait. */
  | { readonly kind: "limited"; readonly retryAfterSeconds: number }
  /** 503: something that the server depends on is unavailable. It is unknown whether the server acted on the request. */
  | { readonly kind: "unavailable"; readonly retryAfterSeconds: number }
  /** No answer: it is unknown whether the server acted on the request. */
  | { readonly kind: "unanswered" }
  /** Any other status: another attempt would not help. `cause` only if the server says one that the player can act on. */
  | { readonly kind: "refused"; readonly status: number; readonly cause?: RefusalCause }

export type RefusalCause =
  | "unverifiedEmail"
  /** The server counts only increments with a receipt of the action's backend. */
  | "receiptRequired"

/** 401: the server no longer accepts the access token. */
export interface Expired {
  readonly kind: "expired"
}

/** The failure that an unsuccessful answer stands for; undefined means that there was no answer. */
export const failureOf = (
  answer: { readonly status: number; readonly retryAfterSeconds: number | undefined } | undefined,
): Failure => {
  if (answer === undefined) return { kind: "unanswered" }
  const retryAfterSeconds = answer.retryAfterSeconds ?? DEFAULT_WAIT_SECONDS
  if (answer.status === 429) return { kind: "limited", retryAfterSeconds }
  if (answer.status === 503) return { kind: "unavailable", retryAfterSeconds }
  // After 500 (the server broke), 502 or 504 (a gateway lost its server), it is unknown what the server has done.
  return answer.status >= 500 ? { kind: "unanswered" } : { kind: "refused", status: answer.status }
}
