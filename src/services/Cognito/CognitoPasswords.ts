import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"

/** Cost, block size and parallelism: what OWASP recommends for 16 MiB of memory per hash. */
const SCRYPT: ScryptOptions = { N: 2 ** 14, r: 8, p: 5 }

/** What NIST SP 800-132 asks for: at least 128 random bits. */
const SALT_BYTES = 16

/** As long as the hash inside scrypt, SHA-256. */
const HASH_BYTES = 32

/** What is stored of a password: its scrypt hash, and the salt of that hash alone. */
export interface PasswordHash {
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** What the password of an unknown user is compared with. */
const NOBODY: PasswordHash = { salt: new Uint8Array(SALT_BYTES), hash: new Uint8Array(HASH_BYTES) }

/** Uninterruptible: Node cannot stop a hash, so the permit for it must not be released before it ends. */
const derive = (password: string, salt: Uint8Array) =>
  Effect.uninterruptible(
    Effect.callback<Buffer>((resume) => {
      scrypt(password, salt, HASH_BYTES, SCRYPT, (error, hash) =>
        resume(error === null ? Effect.succeed(hash) : Effect.die(error)),
      )
    }),
  )

/** Hashes a password with a new salt, which takes about 0.2 s of one core. */
export const hashPassword = (password: string): Effect.Effect<PasswordHash> =>
  Effect.suspend(() => {
    const salt = randomBytes(SALT_BYTES)
    return Effect.map(derive(password, salt), (hash) => ({ salt, hash }))
  })

/**
 * Whether the password is the stored one. If none is stored, the answer is no after the same work: the time it takes
 * does not tell which users exist. Holds a permit of `hashers` while it hashes.
 */
export const checkPassword = (
  hashers: Semaphore.Semaphore,
  password: string,
  stored: PasswordHash | undefined,
): Effect.Effect<boolean> => {
  const { salt, hash } = stored ?? NOBODY
  return hashers
    .withPermit(derive(password, salt))
    .pipe(Effect.map((derived) => timingSafeEqual(derived, hash) && stored !== undefined))
}
