import type { Environment } from "./Environment.ts"
import { type Expired, type Failure, failureOf, type RefusalCause } from "./Failure.ts"
import { parseRecord } from "./Json.ts"
import { request } from "./Request.ts"
import { withRetry } from "./Retry.ts"

/** By the `type` of the problems `UnverifiedEmail` and `InvalidReceipt`. */
const CAUSES = new Map<unknown, RefusalCause>([
  ["urn:scoreboard:unverified-email", "unverifiedEmail"],
  ["urn:scoreboard:invalid-receipt", "receiptRequired"],
])

export type IncrementOutcome =
  /** The server has committed the point, once for this key. */
  { readonly kind: "counted" } | Expired | Failure

/**
 * `POST /scores/increment`. Repeated with the same `Idempotency-Key` while the server answers 503 or not at all, so
 * the server counts it at most once. `onRetry` is called before the wait of each repeat: from then on the press may have
 * been counted, whatever the outcome.
 */
export const incrementOnce = (
  environment: Environment,
  url: string,
  press: { readonly accessToken: string; readonly key: string; readonly onRetry?: () => void },
  signal: AbortSignal,
): Promise<IncrementOutcome> => {
  const headers = { Authorization: `Bearer ${press.accessToken}`, "Idempotency-Key": press.key }
  const attempt = async (): Promise<IncrementOutcome> => {
    const answer = await request(
      environment,
      new URL("/scores/increment", url).href,
      { method: "POST", headers, signal },
      (response) => response.text(),
    )
    if (answer?.status === 200) return { kind: "counted" }
    if (answer?.status === 401) return { kind: "expired" }
    const failure = failureOf(answer)
    const cause = CAUSES.get(parseRecord(answer?.body ?? "")?.["type"])
    return failure.kind === "refused" && cause ? { ...failure, cause } : failure
  }
  return withRetry(environment, attempt, signal, press.onRetry)
}
