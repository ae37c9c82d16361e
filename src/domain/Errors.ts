import * as Schema from "effect/Schema"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { integerText } from "./IntegerText.ts"

/**
 * The errors that a client can see: problem documents (RFC 9457), each with its HTTP status. None of them carries a
 * cause, a driver's message or a stack.
 */

/** RFC 9110 asks for a challenge beside every 401. */
const challengeHeaders = {
  "www-authenticate": Schema.Literal('Bearer realm="scoreboard"').annotate({
    description: "Send an access token as a bearer token.",
  }),
}
const challenge = {
  decode: <Body>({ body }: { readonly body: Body }) => body,
  encode: <Body>(body: Body) =>
    ({ body, headers: { "www-authenticate": 'Bearer realm="scoreboard"' } }) as const,
}

const WAIT = "Wait this many seconds before you send the request again."

/** Whole seconds, at least one. */
const RetryAfterSeconds = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
).annotate({ description: WAIT })

const retryAfterHeaders = { "retry-after": integerText(Number.MAX_SAFE_INTEGER, WAIT) }
const retryAfter = {
  decode: <Body>({ body }: { readonly body: Body }) => body,
  encode: <Body extends { readonly retryAfterSeconds: number }>(body: Body) => ({
    body,
    headers: { "retry-after": body.retryAfterSeconds },
  }),
}

/** The access token is missing, malformed, expired, revoked or from another issuer: all get the same answer. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: "urn:scoreboard:unauthorized",
  title: "A valid access token is required",
  status: 401,
}) {
  static readonly response = Unauthorized.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: Unauthorized, headers: challengeHeaders }, challenge),
  )
}

/** The user is unknown or the password is wrong. Both get the same text, so nobody learns who has an account. */
export class InvalidCredentials extends HttpApiError.Problem<InvalidCredentials>()("InvalidCredentials", {
  type: "urn:scoreboard:invalid-credentials",
  title: "Wrong e-mail or password",
  status: 401,
}) {
  static readonly response = InvalidCredentials.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: InvalidCredentials, headers: challengeHeaders }, challenge),
  )
}

/** The refresh token is unknown, expired or revoked: all get the same answer. */
export class InvalidRefreshToken extends HttpApiError.Problem<InvalidRefreshToken>()("InvalidRefreshToken", {
  type: "urn:scoreboard:invalid-refresh-token",
  title: "A valid refresh token is required: sign in again",
  status: 401,
}) {
  static readonly response = InvalidRefreshToken.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: InvalidRefreshToken, headers: challengeHeaders }, challenge),
  )
}

/** The refresh token is not one of the caller's sign-in. That has ended all the same. */
export class ForeignRefreshToken extends HttpApiError.Problem<ForeignRefreshToken>()("ForeignRefreshToken", {
  type: "urn:scoreboard:foreign-refresh-token",
  title: "The refresh token is not one of this sign-in, which has ended all the same",
  status: 400,
}) {}

/** The player has no stored address, and the identity provider says that the present one is not verified. */
export class UnverifiedEmail extends HttpApiError.Problem<UnverifiedEmail>()("UnverifiedEmail", {
  type: "urn:scoreboard:unverified-email",
  title: "The e-mail address of this account is not verified: verify it to raise a score",
  status: 403,
}) {}

/** An operator has hidden the player from the board, or the score is 2^53 - 1 already: it cannot rise. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: "urn:scoreboard:forbidden",
  title: "This player cannot raise a score",
  status: 403,
}) {}

/** The server requires a receipt, and the increment brings none that is valid for this player. */
export class InvalidReceipt extends HttpApiError.Problem<InvalidReceipt>()("InvalidReceipt", {
  type: "urn:scoreboard:invalid-receipt",
  title: "A valid receipt of the action is required",
  status: 403,
}) {}

/** The body is larger than the server reads. The HTTP server itself answers this; the contract only declares it. */
export class ContentTooLarge extends HttpApiError.Problem<ContentTooLarge>()(
  "ContentTooLarge",
  { type: "about:blank", title: "Content Too Large", status: 413 },
  {},
  { description: "The body exceeds 16 KiB." },
) {}

/** The body is not JSON by its `Content-Type`. `HttpApi` itself answers this; the contract only declares it. */
export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  { type: "about:blank", title: "Unsupported Media Type", status: 415 },
  {},
  { description: "The `Content-Type` is not `application/json`." },
) {}

/** Too many attempts. `retryAfterSeconds` says how long to wait before the next one. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: "urn:scoreboard:too-many-requests", title: "Too many requests", status: 429 },
  { retryAfterSeconds: RetryAfterSeconds },
) {
  static readonly response = TooManyRequests.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: TooManyRequests, headers: retryAfterHeaders }, retryAfter),
  )
}

/**
 * Something that the answer depends on is unavailable or full. The outcome of the request is unknown only where the
 * contract says so. Sending it again with the same `Idempotency-Key` is always safe.
 */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type: "urn:scoreboard:unavailable", title: "Temporarily unavailable", status: 503 },
  {
    /** In plain words: never a host, an address or a driver's message. */
    dependency: Schema.Literals(["database", "identity provider", "receipt keys", "capacity"]).annotate({
      description: "What is unavailable. `capacity`: the server has too many requests waiting.",
    }),
    retryAfterSeconds: RetryAfterSeconds,
  },
  { description: "Something that the server needs is unavailable: see `dependency`." },
) {
  static readonly response = Unavailable.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: Unavailable, headers: retryAfterHeaders }, retryAfter),
  )
}

/** The database is unavailable: mostly a failover, which takes seconds, or a short overload. */
export const databaseUnavailable = new Unavailable({ dependency: "database", retryAfterSeconds: 1 })

/** The identity provider is unavailable. */
export const providerUnavailable = new Unavailable({ dependency: "identity provider", retryAfterSeconds: 5 })
