import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"

/** Cost, block size and parallelism that OWASP recommends where memory is to stay at 16 MiB a hash. */
const SCRYPT: ScryptOptions = { N: 2 ** 14, r: 8, p: 5 }

const SALT_BYTES = 16
const HASH_BYTES = 32

/** A password as it is stored: scrypt with a salt of its own. */
export interface PasswordHash {
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** What a password of an unknown user is compared with. */
const NOBODY: PasswordHash = { salt: new Uint8Array(SALT_BYTES), hash: new Uint8Array(HASH_BYTES) }

/** Not to be interrupted: a hash under way goes on, so its permit must not be given back before it ends. */
const derive = (password: string, salt: Uint8Array) =>
  Effect.uninterruptible(
    Effect.callback<Buffer>((resume) => {
      scrypt(password, salt, HASH_BYTES, SCRYPT, (error, hash) =>
        resume(error === null ? Effect.succeed(hash) : Effect.die(error)),
      )
    }),
  )

/** Hashes with a new salt, about 0.2 s of one core. */
export const hashPassword = (password: string): Effect.Effect<PasswordHash> =>
  Effect.suspend(() => {
    const salt = randomBytes(SALT_BYTES)
    return Effect.map(derive(password, salt), (hash) => ({ salt, hash }))
  })

/**
 * Whether the password is the stored one. Without a stored one it is not, after the same work: the time tells
 * nobody who has an account. Runs within a permit of `hashers`.
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
