import { hash } from "node:crypto"
import { LruMap } from "../../foundation/LruMap.ts"
import type { VerifiedClaims } from "./CognitoVerifier.ts"

/**
 * The claims of verified tokens, by a digest of the token. A token comes with every request of its player for an hour:
 * a digest takes 2 µs, a check of the signature 75.
 */
export interface TokenMemory {
  /** The claims of a token, if it is remembered; the call makes it the most recently used one. */
  readonly recall: (digest: string) => VerifiedClaims | undefined
  readonly remember: (digest: string, claims: VerifiedClaims) => void
  readonly forget: (digest: string) => void
}

/** The SHA-256 of a token: a token itself is never stored, because memory can be dumped. */
export const tokenDigest = (token: string): string => hash("sha256", token, "base64")

/**
 * Remembers up to `capacity` tokens; a further one replaces the token used least recently. Only verified tokens enter:
 * effect/Cache also stores a lookup that has not ended, so a flood of forged tokens could push out good ones.
 */
export const makeTokenMemory = (capacity: number): TokenMemory => {
  const claimsByDigest = new LruMap<string, VerifiedClaims>(capacity)
  return {
    recall: (digest) => claimsByDigest.get(digest),
    remember: (digest, claims) => claimsByDigest.set(digest, claims),
    forget: (digest) => claimsByDigest.delete(digest),
  }
}
