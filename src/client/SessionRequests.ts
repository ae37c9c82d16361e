import type { Environment } from "./Environment.ts"
import { type Expired, type Failure, failureOf } from "./Failure.ts"
import { parseRecord } from "./Json.ts"
import { request } from "./Request.ts"
import { withRetry } from "./Retry.ts"

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

export type SignInOutcome =
  | { readonly kind: "signedIn"; readonly tokens: Tokens }
  /** 401: unknown player or wrong password; the server does not say which. */
  | { readonly kind: "wrong" }
  | Failure

export type RefreshOutcome = { readonly kind: "refreshed"; readonly tokens: Tokens } | Expired | Failure

const parseTokens = (text: string, sentRefreshToken?: string): Tokens | undefined => {
  const { accessToken, refreshToken = sentRefreshToken } = parseRecord(text) ?? {}
  return typeof accessToken === "string" && typeof refreshToken === "string"
    ? { accessToken, refreshToken }
    : undefined
}

const post = <Body>(
  environment: Environment,
  url: string,
  message: {
    readonly body: object
    readonly headers?: Record<string, string>
    readonly keepalive?: boolean
  },
  parse: (text: string) => Body,
) =>
  request(
    environment,
    url,
    {
      ...message,
      method: "POST",
      headers: { "Content-Type": "application/json", ...message.headers },
      body: JSON.stringify(message.body),
    },
    async (response) => (response.status === 200 ? parse(await response.text()) : undefined),
  )

/** `POST /users/auth/login`, once. */
export const signIn = async (
  environment: Environment,
  url: string,
  credentials: { readonly email: string; readonly password: string },
): Promise<SignInOutcome> => {
  const target = new URL("/users/auth/login", url).href
  const answer = await post(environment, target, { body: credentials }, (text) => parseTokens(text))
  if (answer?.body) return { kind: "signedIn", tokens: answer.body }
  return answer?.status === 401 ? { kind: "wrong" } : failureOf(answer)
}

/**
 * `POST /users/auth/refresh`, once. If the answer has no refresh token, the one that was sent remains valid. `expired`
 * if the server rejects the token or lacks the route: the player has to sign in again.
 */
export const refresh = async (
  environment: Environment,
  url: string,
  refreshToken: string,
): Promise<RefreshOutcome> => {
  const target = new URL("/users/auth/refresh", url).href
  const answer = await post(environment, target, { body: { refreshToken } }, (text) =>
    parseTokens(text, refreshToken),
  )
  if (answer?.body) return { kind: "refreshed", tokens: answer.body }
  const failure = failureOf(answer)
  return failure.kind === "refused" ? { kind: "expired" } : failure
}

/**
 * `POST /users/auth/logout`, repeated while the server answers 503 or not at all, which is safe because logout is
 * idempotent. Continues when the page is closed. Also `done` if the server lacks the route (404): then there is nothing
 * to end.
 */
export const signOut = (
  environment: Environment,
  url: string,
  tokens: Tokens,
): Promise<{ readonly kind: "done" } | Expired | Failure> => {
  const target = new URL("/users/auth/logout", url).href
  const message = {
    body: { refreshToken: tokens.refreshToken },
    headers: { Authorization: `Bearer ${tokens.accessToken}` },
    keepalive: true,
  }
  const attempt = async () => {
    const answer = await post(environment, target, message, () => undefined)
    if (answer?.status === 204 || answer?.status === 404) return { kind: "done" } as const
    return answer?.status === 401 ? ({ kind: "expired" } as const) : failureOf(answer)
  }
  return withRetry(environment, attempt)
}
