import { createPublicKey } from "node:crypto"
import type { Jwks } from "aws-jwt-verify/jwk"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/** The shortest modulus that RFC 7518 allows for RS256, in bits. Node loads a key of any length, even of none. */
const MODULUS_BITS = 2048

const PublicJwk = Schema.Struct({
  kty: Schema.Literal("RSA"),
  kid: Schema.String,
  use: Schema.optionalKey(Schema.Literal("sig")),
  alg: Schema.optionalKey(Schema.Literal("RS256")),
  n: Schema.String,
  e: Schema.String,
})
const decodePublicJwk = Schema.decodeUnknownOption(PublicJwk)
const decodeKeySet = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ keys: Schema.Array(Schema.Unknown) })),
)

/** The key, for RS256 signatures alone; nothing if it has another purpose, or is broken or too short. */
const usable = (candidate: unknown): Jwks["keys"] => {
  const decoded = decodePublicJwk(candidate)
  if (Option.isNone(decoded)) return []
  const key = { ...decoded.value, use: "sig", alg: "RS256" }
  const bits = Result.try(
    () => createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails?.modulusLength ?? 0,
  )
  return Result.isSuccess(bits) && bits.success >= MODULUS_BITS ? [key] : []
}

/**
 * Reads a key set (RFC 7517) and throws when it has no usable key. Ours, because the library's parser refuses the
 * whole set for one odd key, accepts a key of any length, and where a key names no algorithm lets the token choose.
 */
export const parseKeySet = (body: ArrayBuffer): Jwks => {
  const decoded = decodeKeySet(new TextDecoder().decode(body))
  // Without the decoder's own words, which quote the answer.
  if (Option.isNone(decoded)) throw new Error("The answer is not a key set")
  const keys = decoded.value.keys.flatMap(usable)
  if (keys.length === 0) throw new Error("The key set has no usable key for RS256")
  return { keys }
}
