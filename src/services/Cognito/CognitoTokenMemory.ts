import { hash } from "node:crypto"
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
  // A Map keeps its keys in the order in which they were set.
  const claimsByDigest = new Map<string, AccessTokenClaims>()
  const remember = (digest: string, claims: AccessTokenClaims) => {
    claimsByDigest.delete(digest)
    claimsByDigest.set(digest, claims)
    if (claimsByDigest.size <= capacity) return
    for (const oldest of claimsByDigest.keys()) {
      claimsByDigest.delete(oldest)
      return
    }
  }
  return {
    recall: (digest) => {
      const claims = claimsByDigest.get(digest)
      if (claims !== undefined) remember(digest, claims)
      return claims
    },
    remember,
    forget: (digest) => void claimsByDigest.delete(digest),
  }
}
