import { hash } from "node:crypto"
import { LruMap } from "../../foundation/LruMap.ts"
import type { AccessTokenClaims } from "./Cognito.ts"

/** Verified tokens by their SHA-256: the token itself is not kept. */
export interface TokenMemory {
  /** What is remembered of a token; the call makes it the most recently used one. */
  readonly recall: (digest: string) => AccessTokenClaims | undefined
  readonly remember: (digest: string, claims: AccessTokenClaims) => void
  readonly forget: (digest: string) => void
}

/** What a token is remembered by. */
export const tokenDigest = (token: string): string => hash("sha256", token, "base64")

/**
 * Remembers `capacity` tokens, then forgets the one used least recently. Only verified tokens ever enter:
 * effect/Cache takes in a lookup that is still under way, so a flood of forged tokens could push out good ones.
 */
export const makeTokenMemory = (capacity: number): TokenMemory => {
  const claimsByDigest = new LruMap<string, AccessTokenClaims>(capacity)
  return {
    recall: (digest) => claimsByDigest.get(digest),
    remember: (digest, claims) => claimsByDigest.set(digest, claims),
    forget: (digest) => claimsByDigest.delete(digest),
  }
}
