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
  /** 401: no such player, or another password; the server does not say which. */
  | { readonly kind: "wrong" }
  | Failure

export type RefreshOutcome = { readonly kind: "refreshed"; readonly tokens: Tokens } | Expired | Failure

const parseTokens = (text: string, kept?: string): Tokens | undefined => {
  const { accessToken, refreshToken = kept } = parseRecord(text) ?? {}
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
 * `POST /users/auth/refresh`, once. An answer without a refresh token leaves the one that was sent in use. A server
 * that does not know the route, or this token, has only a new sign-in to offer: `expired`.
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
 * `POST /users/auth/logout`, repeated after a 503 or silence; doing it twice does no harm. Goes on when the page is
 * closed. `done` is also the answer of a server that does not know the route: nothing more can be ended there.
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
