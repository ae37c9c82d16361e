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

/** The receipt does not show that this player did an action. `reason` is a name out of the code, never a part of it. */
export class ReceiptRejected extends Schema.TaggedError<ReceiptRejected>()("ReceiptRejected", {
  reason: Schema.String,
}) {}

/** The keys that receipts are signed with cannot be had. `cause` is for the log only. */
export class ReceiptFailure extends Schema.TaggedError<ReceiptFailure>()("ReceiptFailure", {
  operation: Schema.Literals(["start", "verify"]),
  cause: Schema.Defect(),
}) {}

/** Public-key signatures only: with a shared secret the board could sign receipts, too. */
const ALGORITHMS = ["EdDSA", "Ed25519", "ES256"]

/** Longer is refused unread: five short claims have some 400 characters. */
const RECEIPT_LENGTH = 4096

/** How far ahead a receipt may expire: a stolen one is of no use for long, and its id is remembered far longer. */
const LIFETIME_SECONDS = 300

/** How far the signer's clock may be ahead of ours. */
const CLOCK_SKEW_SECONDS = 30

/** An unknown key asks for the keys again, at most once in this time for all callers; and how long a fetch may take. */
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

/** Proof, signed by the backend of the action, that a player did it once. */
export class Receipts extends Context.Service<
  Receipts,
  {
    /** Whether an increment has to bring one. */
    readonly required: boolean
    /**
     * Checks a compact JWS: signature by a known key, `aud` = this board, `sub` = the player, `exp` ahead but at most
     * five minutes, `jti`. Gives the `jti`, which the caller has to count once.
     */
    verify(receipt: string, userId: UserId): Effect.Effect<string, ReceiptRejected | ReceiptFailure>
  }
>()("scoreboard/services/Receipts") {
  /** What `layer` reads. */
  static readonly config = config

  /** Off unless it is asked for; then audience and keys have to be there, the keys of an address only when needed. */
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

const make = Effect.gen(function* () {
  const { mode, audience, jwksUri, jwksFile } = yield* Config.all(config)
  if (mode === "off") {
    return Receipts.of({ required: false, verify: () => Effect.die("Receipts are off") })
  }
  if (Option.isNone(audience)) return yield* startFailure(new Error("ACTION_RECEIPT_AUDIENCE is not set"))
  if (Option.isSome(jwksUri) === Option.isSome(jwksFile)) {
    return yield* startFailure(new Error("Set one of ACTION_RECEIPT_JWKS_URI and ACTION_RECEIPT_JWKS_FILE"))
  }
  const keys: JWTVerifyGetKey = Option.isSome(jwksUri)
    ? createRemoteJWKSet(jwksUri.value, KEY_SET)
    : yield* readKeys(Option.getOrElse(jwksFile, () => ""))

  const verify = Effect.fnUntraced(function* (receipt: string, userId: UserId) {
    if (receipt.length > RECEIPT_LENGTH) return yield* new ReceiptRejected({ reason: "Oversize" })
    const { payload } = yield* Effect.tryPromise({
      try: () =>
        jwtVerify(receipt, keys, {
          algorithms: ALGORITHMS,
          audience: audience.value,
          subject: userId,
          clockTolerance: 0,
          requiredClaims: ["exp", "jti"],
        }),
      catch: refused,
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
  return Receipts.of({ required: true, verify })
})

/** What jose says of a receipt; a key set that cannot be had says nothing of it. */
const refused = (cause: unknown): ReceiptRejected | ReceiptFailure => {
  const away =
    !(cause instanceof errors.JOSEError) ||
    cause instanceof errors.JWKSTimeout ||
    cause instanceof errors.JWKSInvalid ||
    cause.code === "ERR_JOSE_GENERIC"
  return away
    ? new ReceiptFailure({ operation: "verify", cause })
    : new ReceiptRejected({ reason: cause.code })
}
