import { createPublicKey } from "node:crypto"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"

/** How long one fetch of the keys may take in all: below the three seconds that a caller is made to wait. */
const FETCH_LIMIT = "2 seconds"

/** The most that a key set may have. Cognito's has two keys and 0.8 KiB. */
const KEY_SET_BYTES = 64 * 1024

/** The shortest modulus that RFC 7518 allows for RS256. Node loads a key of any length, even of none. */
const MODULUS_BITS = 2048

/**
 * A key that a token names and we do not know asks for the keys again, at most once in this time for all callers
 * together. So a key that the issuer begins to use without announcing it is accepted after 10 s at the latest.
 */
const UNKNOWN_KEY_WAIT_MILLIS = 10_000

/** After a failed fetch the next caller that needs one waits no longer than this. */
const FAILED_FETCH_WAIT_MILLIS = 1_000

const PublicJwk = Schema.Struct({
  kty: Schema.Literal("RSA"),
  kid: Schema.String,
  n: Schema.String,
  e: Schema.String,
})
const decodeKeySet = Schema.decodeUnknownEffect(Schema.Struct({ keys: Schema.Array(Schema.Unknown) }))
const decodePublicJwk = Schema.decodeUnknownOption(PublicJwk)

/** A public key that checks RS256 signatures, and nothing else. */
export type SigningKey = typeof PublicJwk.Type & { readonly alg: "RS256"; readonly use: "sig" }

/** Gives the issuer's key set as parsed JSON (RFC 7517), or why it cannot be had. */
export type KeySource = Effect.Effect<unknown, Error>

/** The answer as parsed JSON. A larger body is given up on the way: its length need not be announced. */
const readJson = async (uri: string, signal: AbortSignal): Promise<unknown> => {
  // The fetch is rare: a kept connection would be closed by the peer before it is used again.
  const headers = { accept: "application/json", connection: "close" }
  const response = await fetch(uri, { signal, headers, redirect: "error" })
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  const body: AsyncIterable<Uint8Array> | [] = response.body ?? []
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > KEY_SET_BYTES) throw new Error("The key set is too large")
    chunks.push(chunk)
  }
  if (!response.ok) throw new Error(`The key set was answered with status ${response.status}`)
  return JSON.parse(Buffer.concat(chunks).toString("utf8"))
}

/** The key set at an address: http or https, no redirects, at most `KEY_SET_BYTES`, within `FETCH_LIMIT`. */
export const fetchKeySet = (uri: string): KeySource =>
  Effect.timeout(
    Effect.tryPromise((signal) => readJson(uri, signal)),
    FETCH_LIMIT,
  )

/** A key for something else, or a broken or short one, takes nothing from its neighbours. */
const usable = (candidate: unknown): ReadonlyArray<SigningKey> => {
  const decoded = decodePublicJwk(candidate)
  if (Option.isNone(decoded)) return []
  const key: SigningKey = { ...decoded.value, alg: "RS256", use: "sig" }
  const bits = Result.try(
    () => createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails?.modulusLength ?? 0,
  )
  return Result.isSuccess(bits) && bits.success >= MODULUS_BITS ? [key] : []
}

const load = Effect.fnUntraced(function* (source: KeySource) {
  const keys = (yield* decodeKeySet(yield* source)).keys.flatMap(usable)
  return keys.length > 0 ? keys : yield* new Cause.NoSuchElementError("The key set has no key for RS256")
})

/** The issuer's keys, owned by one holder: fetched one at a time, however many ask. */
export interface KeyRing {
  /** Fetches the keys for a token that names an unknown one, unless that was just done: then as it went. */
  readonly lookAgain: Effect.Effect<void, Error>
  /** Fetches the keys unless they are younger than `maxAgeMillis`. */
  readonly freshen: (maxAgeMillis: number) => Effect.Effect<void, Error>
}

/**
 * `onKeys` gets every key set that was fetched, to take the place of the one before. Keys stay when a fetch fails.
 * A fetch belongs to the scope, not to who asked first: callers that go away cannot make it begin again and again.
 */
export const makeKeyRing = Effect.fnUntraced(function* (
  source: KeySource,
  onKeys: (keys: ReadonlyArray<SigningKey>) => void,
) {
  const scope = yield* Effect.scope
  const deciding = Semaphore.makeUnsafe(1)
  let fetching: Fiber.Fiber<Result.Result<void, Error>> | undefined
  let fetchedAtMillis = 0

  const fetchNow = Effect.gen(function* () {
    const result = yield* Effect.result(Effect.map(load(source), onKeys))
    fetchedAtMillis = yield* monotonicMillis
    return result
  })

  /** The fetch that answers the caller: the one under way, the last one while it is young enough, or a new one. */
  const choose = Effect.fnUntraced(function* (maxAgeMillis: number) {
    if (fetching !== undefined) {
      const exit = fetching.pollUnsafe()
      if (exit === undefined) return fetching
      const failed = Exit.isFailure(exit) || Result.isFailure(exit.value)
      const limit = failed ? FAILED_FETCH_WAIT_MILLIS : maxAgeMillis
      if ((yield* monotonicMillis) - fetchedAtMillis < limit) return fetching
    }
    fetching = yield* Effect.forkIn(fetchNow, scope)
    return fetching
  }, deciding.withPermit)

  const freshen = (maxAgeMillis: number) =>
    choose(maxAgeMillis).pipe(Effect.flatMap(Fiber.join), Effect.flatMap(Effect.fromResult))

  const keyRing: KeyRing = { lookAgain: freshen(UNKNOWN_KEY_WAIT_MILLIS), freshen }
  return keyRing
})
