import * as Schema from "effect/Schema"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"

/**
 * Errors a client can see: problem documents (RFC 9457), each with its HTTP status. None carries a cause,
 * a driver's text or a stack.
 */

/** What RFC 9110 asks of a 401: the document, and the challenge beside it. */
const challengeHeaders = { "www-authenticate": Schema.String }
const challenge = {
  decode: <Body>({ body }: { readonly body: Body }) => body,
  encode: <Body>(body: Body) => ({ body, headers: { "www-authenticate": 'Bearer realm="scoreboard"' } }),
}

/** The access token is missing, malformed, expired, foreign or revoked: one answer for all of them. */
export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: "urn:scoreboard:unauthorized",
  title: "A valid access token is required",
  status: 401,
}) {
  static readonly response = Unauthorized.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: Unauthorized, headers: challengeHeaders }, challenge),
  )
}

/** Unknown user or wrong password: one text for both, so that nobody can find out who has an account. */
export class InvalidCredentials extends HttpApiError.Problem<InvalidCredentials>()("InvalidCredentials", {
  type: "urn:scoreboard:invalid-credentials",
  title: "Wrong e-mail or password",
  status: 401,
}) {
  static readonly response = InvalidCredentials.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: InvalidCredentials, headers: challengeHeaders }, challenge),
  )
}

/** The refresh token is unknown, expired or revoked: one answer for all of them. */
export class InvalidRefreshToken extends HttpApiError.Problem<InvalidRefreshToken>()("InvalidRefreshToken", {
  type: "urn:scoreboard:invalid-refresh-token",
  title: "A valid refresh token is required: sign in again",
  status: 401,
}) {
  static readonly response = InvalidRefreshToken.pipe(
    HttpApiSchema.encodeToWithHeaders({ body: InvalidRefreshToken, headers: challengeHeaders }, challenge),
  )
}

/** The player is hidden from the board by an operator and cannot raise a score. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: "urn:scoreboard:forbidden",
  title: "This player cannot raise a score",
  status: 403,
}) {}

/** The increment brings no receipt of an action of this player, where one is asked for. */
export class InvalidReceipt extends HttpApiError.Problem<InvalidReceipt>()("InvalidReceipt", {
  type: "urn:scoreboard:invalid-receipt",
  title: "A valid receipt of the action is required",
  status: 403,
}) {}

/** Too many attempts; `retryAfterSeconds` is how long to wait before the next one. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: "urn:scoreboard:too-many-requests", title: "Too many requests", status: 429 },
  { retryAfterSeconds: Schema.Int },
) {
  static readonly response = TooManyRequests.pipe(
    HttpApiSchema.encodeToWithHeaders(
      { body: TooManyRequests, headers: { "retry-after": Schema.Int } },
      {
        decode: ({ body }) => body,
        encode: (body) => ({ body, headers: { "retry-after": body.retryAfterSeconds } }),
      },
    ),
  )
}

/**
 * Something the answer depends on is away or full. The outcome of the request is unknown only where the
 * contract says so; sending it again with the same `Idempotency-Key` is always safe.
 */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type: "urn:scoreboard:unavailable", title: "Temporarily unavailable", status: 503 },
  {
    /** What is away, in plain words: never a host, an address or a driver's message. */
    dependency: Schema.Literals(["database", "identity provider", "receipt keys", "capacity"]),
    retryAfterSeconds: Schema.Int,
  },
) {
  static readonly response = Unavailable.pipe(
    HttpApiSchema.encodeToWithHeaders(
      { body: Unavailable, headers: { "retry-after": Schema.Int } },
      {
        decode: ({ body }) => body,
        encode: (body) => ({ body, headers: { "retry-after": body.retryAfterSeconds } }),
      },
    ),
  )
}

/** The database is away: mostly a failover, or a moment of too much to do. */
export const databaseUnavailable = new Unavailable({ dependency: "database", retryAfterSeconds: 1 })

/** The identity provider is away. */
export const providerUnavailable = new Unavailable({ dependency: "identity provider", retryAfterSeconds: 5 })
