import { JwtInvalidIssuerError } from "aws-jwt-verify/error"
import type { Fetcher } from "aws-jwt-verify/https"
import { type Jwks, type JwkWithKid, SimpleJwksCache, SimplePenaltyBox } from "aws-jwt-verify/jwk"
import type { JwtHeader, JwtPayload } from "aws-jwt-verify/jwt-model"
import type * as Clock from "effect/Clock"
import { parseKeySet } from "./CognitoKeySet.ts"

/**
 * After a fetch that did not bring the key that a token names, unknown keys cause no fetch for this time: the library's
 * own default. So a key that the issuer begins to use without notice is accepted after 10 s at the latest.
 */
const UNKNOWN_KEY_WAIT_SECONDS = 10

/** A failed fetch is not repeated for this time: short, because every caller that needs the keys fails meanwhile. */
const FAILED_FETCH_WAIT_NANOS = 1_000_000_000n

/** The messages of an error and of its causes in one line: a JSON log prints the outermost message alone. */
const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown"
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`
}

/** The keys could not be fetched, or the answer has no usable key. It tells nothing about any token. */
export class KeysUnavailable extends Error {
  constructor(jwksUri: string, cause: unknown) {
    super(`The key set at ${jwksUri} is unavailable: ${explain(cause)}`, { cause })
  }
}

/**
 * The library's cache of key sets. It fetches once for all callers that wait, whether or not they stay, and continues
 * to serve the last key set when a fetch fails. Its penalty box limits the fetches that unknown keys can cause.
 */
export class CognitoKeys extends SimpleJwksCache {
  readonly #issuer: string
  readonly #clock: Clock.Clock
  #failure: { readonly error: KeysUnavailable; readonly atNanos: bigint } | undefined

  constructor(issuer: string, fetcher: Fetcher, clock: Clock.Clock) {
    const penaltyBox = new SimplePenaltyBox({ waitSeconds: UNKNOWN_KEY_WAIT_SECONDS })
    super({ fetcher, penaltyBox, jwksParser: parseKeySet })
    this.#issuer = issuer
    this.#clock = clock
  }

  /**
   * The key that a token names. The issuer is checked here as well, because the library checks it last and until then
   * stores a parsed key, some 5 KB, under each issuer that any forged token names, and never forgets it.
   */
  override async getJwk(
    jwksUri: string,
    token: { readonly header: JwtHeader; readonly payload: JwtPayload },
  ): Promise<JwkWithKid> {
    const { iss } = token.payload
    if (iss !== this.#issuer) throw new JwtInvalidIssuerError("The issuer is another", iss, this.#issuer)
    return super.getJwk(jwksUri, token)
  }

  /**
   * Fetches the key set; rejects with `KeysUnavailable` and nothing else. The wait after a failure is ours, because
   * the penalty box counts only fetches that succeeded: without it, forged tokens would make us ask an unavailable
   * issuer without a pause.
   */
  override async getJwks(jwksUri: string): Promise<Jwks> {
    const failure = this.#failure
    if (failure && this.#clock.monotonicTimeNanosUnsafe() - failure.atNanos < FAILED_FETCH_WAIT_NANOS)
      throw failure.error
    try {
      return await super.getJwks(jwksUri)
    } catch (cause) {
      const error = new KeysUnavailable(jwksUri, cause)
      this.#failure = { error, atNanos: this.#clock.monotonicTimeNanosUnsafe() }
      throw error
    }
  }
}
