import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from "jose"
import { readFile } from "node:fs/promises"
import type { UserId } from "../domain/Score.ts"
import { HttpUrl } from "../foundation/HttpUrl.ts"

/** The receipt does not prove that this player did an action. `reason` is a name from the code, never a part of the receipt. */
export class ReceiptRejected extends Schema.TaggedError<ReceiptRejected>()("ReceiptRejected", {
  reason: Schema.String,
}) {}

/** The keys that receipts are signed with are unavailable. `cause` is for the log only. */
export class ReceiptFailure extends Schema.TaggedError<ReceiptFailure>()("ReceiptFailure", {
  operation: Schema.Literals(["start", "verify"]),
  cause: Schema.Defect(),
}) {}

/** Public-key signatures only: with a shared secret this process could sign receipts, too. */
const ALGORITHMS = ["EdDSA", "Ed25519", "ES256"]

/** A longer receipt is refused without parsing it: five short claims have some 400 characters. */
const RECEIPT_LENGTH = 4096

/**
 * How far in the future a receipt may expire. A stolen receipt is soon useless, and its id is remembered for far longer: 24 hours.
 */
const LIFETIME_SECONDS = 300

/** How far the signer's clock may be ahead of ours. */
const CLOCK_SKEW_SECONDS = 30

/**
 * Milliseconds. A receipt with an unknown key makes us fetch the keys again, at most once per `cooldownDuration` for all
 * callers together; a fetch may take `timeoutDuration`.
 */
const KEY_SET = { cooldownDuration: 10_000, timeoutDuration: 2_000 }

/** `jti`: visible ASCII, short enough to be an idempotency key. */
const ReceiptId = Schema.String.check(Schema.isPattern(/^[\x21-\x7e]{1,200}$/))
const decodeReceiptId = Schema.decodeUnknownOption(ReceiptId)

const config = {
  mode: Config.schema(Schema.Literals(["off", "required"]), "ACTION_RECEIPTS").pipe(
    Config.withDefault("off" as const),
  ),
  audience: Config.option(Config.NonEmptyString("ACTION_RECEIPT_AUDIENCE")),
  jwksUri: Config.option(Config.schema(HttpUrl, "ACTION_RECEIPT_JWKS_URI")),
  jwksFile: Config.option(Config.NonEmptyString("ACTION_RECEIPT_JWKS_FILE")),
}

const KeySetFile = Schema.fromJsonString(
  Schema.Struct({
    keys: Schema.Array(
      Schema.StructWithRest(Schema.Struct({ kty: Schema.String }), [
        Schema.Record(Schema.String, Schema.Any),
      ]),
    ),
  }),
)

const startFailure = (cause: unknown) => new ReceiptFailure({ operation: "start", cause })

/** Verifies receipts: proofs, signed by the backend of an action, that a player did it once. */
export class Receipts extends Context.Service<
  Receipts,
  {
    /** Whether an increment needs a receipt. */
    readonly required: boolean
    /**
     * Verifies a compact JWS: signed by a known key, `aud` = this board, `sub` = the player, `exp` in the future but at
     * most five minutes ahead, with a `jti`. Gives the `jti`, which the caller has to count once.
     */
    verify(receipt: string, userId: UserId): Effect.Effect<string, ReceiptRejected | ReceiptFailure>
  }
>()("scoreboard/services/Receipts") {
  /** The settings that `layer` reads. */
  static readonly config = config

  /**
   * Off by default. When receipts are required, the start fails without an audience and keys; keys at a URL are fetched
   * with the first receipt.
   */
  static readonly layer = Layer.effect(
    Receipts,
    Effect.suspend(() => make),
  )
}

const readKeys = Effect.fnUntraced(function* (path: string) {
  const text = yield* Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: startFailure })
  const { keys } = yield* Effect.mapError(Schema.decodeUnknownEffect(KeySetFile)(text), startFailure)
  return createLocalJWKSet({ keys: [...keys] })
})

/** The keys at `jwksUri`, which are fetched with the first receipt, or those in `jwksFile`, which is read now. */
const keysFrom = (
  jwksUri: Option.Option<URL>,
  jwksFile: Option.Option<string>,
): Effect.Effect<JWTVerifyGetKey, ReceiptFailure> => {
  if (Option.isSome(jwksUri) && Option.isNone(jwksFile)) {
    return Effect.sync(() => createRemoteJWKSet(jwksUri.value, KEY_SET))
  }
  if (Option.isSome(jwksFile) && Option.isNone(jwksUri)) return readKeys(jwksFile.value)
  return startFailure(new Error("Set one of ACTION_RECEIPT_JWKS_URI and ACTION_RECEIPT_JWKS_FILE"))
}

const make = Effect.gen(function* () {
  const { mode, audience, jwksUri, jwksFile } = yield* Config.all(config)
  if (mode === "off") {
    return Receipts.of({ required: false, verify: () => Effect.die("Receipts are off") })
  }
  if (Option.isNone(audience)) return yield* startFailure(new Error("ACTION_RECEIPT_AUDIENCE is not set"))
  const keys = yield* keysFrom(jwksUri, jwksFile)
  return Receipts.of({ required: true, verify: makeVerify(keys, audience.value) })
})

const makeVerify = (keys: JWTVerifyGetKey, audience: string) =>
  Effect.fnUntraced(function* (receipt: string, userId: UserId) {
    if (receipt.length > RECEIPT_LENGTH) return yield* new ReceiptRejected({ reason: "Oversize" })
    const { payload } = yield* Effect.tryPromise({
      try: () =>
        jwtVerify(receipt, keys, {
          algorithms: ALGORITHMS,
          audience,
          subject: userId,
          clockTolerance: 0,
          requiredClaims: ["exp", "jti"],
        }),
      catch: toFailure,
    })
    const nowSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    if ((payload.exp ?? Infinity) > nowSeconds + LIFETIME_SECONDS + CLOCK_SKEW_SECONDS) {
      return yield* new ReceiptRejected({ reason: "LongLived" })
    }
    if ((payload.iat ?? 0) > nowSeconds + CLOCK_SKEW_SECONDS) {
      return yield* new ReceiptRejected({ reason: "IssuedInTheFuture" })
    }
    const id = decodeReceiptId(payload.jti)
    return Option.isSome(id) ? id.value : yield* new ReceiptRejected({ reason: "MalformedId" })
  })

/** An error of jose: either the receipt is not valid, or the keys cannot be had, which says nothing about the receipt. */
const toFailure = (cause: unknown): ReceiptRejected | ReceiptFailure => {
  const keysUnavailable =
    !(cause instanceof errors.JOSEError) ||
    cause instanceof errors.JWKSTimeout ||
    cause instanceof errors.JWKSInvalid ||
    cause.code === "ERR_JOSE_GENERIC"
  return keysUnavailable
    ? new ReceiptFailure({ operation: "verify", cause })
    : new ReceiptRejected({ reason: cause.code })
}
