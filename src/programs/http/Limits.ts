import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TooManyRequests } from "../../domain/Errors.ts"
import type { UserId } from "../../domain/Score.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { monotonicMicros } from "../../foundation/MonotonicTime.ts"
import { CLIENT_ADDRESS } from "../../services/Listener/ListenerClient.ts"
import { type Bucket, Redis, type RedisFailure, type Taken } from "../../services/Redis/Redis.ts"
import { makeBuckets } from "../../services/Redis/RedisBucket.ts"

/** Buckets in this process, while Redis is away and for what is counted here only: some 2 MB. */
const LOCAL_BUCKETS = 10_000

/** How long Redis is left alone after it failed: one caller in that time waits for it, not all. */
const LEFT_ALONE_MICROS = 1_000_000

const SECOND_MICROS = 1_000_000

const KINDS = ["increment", "login", "login-address", "unauthorized"] as const
type Kind = (typeof KINDS)[number]

const limited = labelledCounter({
  name: "requests_limited_total",
  description: "Requests refused with 429, by the limit they met.",
  label: "limit",
  values: KINDS,
})

const Limit = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
const Burst = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

/** A limit: `burst` at once, one more every `refillMicros`. */
interface Policy {
  readonly kind: Kind
  readonly burst: number
  readonly refillMicros: number
}

/** None for 0: not limited. */
const policyOf = (kind: Kind, limit: number, windowSeconds: number, burst = limit): Policy | undefined =>
  limit === 0 ? undefined : { kind, burst, refillMicros: Math.round((windowSeconds * SECOND_MICROS) / limit) }

/** The address by which the sender of a request is counted. */
export const clientAddressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  request.headers[CLIENT_ADDRESS] ?? ""

type Limited = Effect.Effect<void, TooManyRequests, HttpServerRequest.HttpServerRequest>

/** How often anyone may try. What is refused here has done nothing and counts nowhere. */
export class Limits extends Context.Service<
  Limits,
  {
    /** Before an increment: one per player, whatever process they come to. */
    increment(userId: UserId): Limited
    /** Before a login: per account, however its e-mail is capitalised, and per address. */
    login(email: string, address: string): Limited
    /** Before a refresh: per address, together with its logins. */
    refresh(address: string): Limited
    /** After a request was refused for want of a valid token: per address, counted in this process only. */
    unauthorized(address: string): Limited
  }
>()("scoreboard/programs/Limits") {
  static readonly config = {
    increments: Config.schema(Limit, "INCREMENT_RATE_LIMIT").pipe(Config.withDefault(10)),
    incrementBurst: Config.schema(Burst, "INCREMENT_RATE_BURST").pipe(Config.withDefault(20)),
    logins: Config.schema(Limit, "LOGIN_RATE_LIMIT").pipe(Config.withDefault(10)),
    loginsPerAddress: Config.schema(Limit, "LOGIN_RATE_LIMIT_ADDRESS").pipe(Config.withDefault(100)),
    unauthorized: Config.schema(Limit, "UNAUTHORIZED_RATE_LIMIT_ADDRESS").pipe(Config.withDefault(300)),
  }

  static readonly layer = Layer.effect(
    Limits,
    Effect.suspend(() => make),
  )
}

/** The fields of draft-ietf-httpapi-ratelimit-headers-10: what is allowed in which time, and what is left of it. */
const headersOf = ({ kind, burst, refillMicros }: Policy, { remaining, waitMillis }: Taken) => ({
  "ratelimit-policy": `"${kind}";q=${burst};w=${Math.max(1, Math.round((burst * refillMicros) / SECOND_MICROS))}`,
  ratelimit: `"${kind}";r=${remaining};t=${Math.ceil(waitMillis / 1000)}`,
})

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const config = yield* Config.all(Limits.config)
  const increments = policyOf("increment", config.increments, 1, config.incrementBurst)
  const accounts = policyOf("login", config.logins, 60)
  const addresses = policyOf("login-address", config.loginsPerAddress, 60)
  const unauthorized = policyOf("unauthorized", config.unauthorized, 60)

  const takeLocally = makeBuckets(LOCAL_BUCKETS)
  const locally = (bucket: Bucket) => Effect.map(monotonicMicros, (now) => takeLocally(bucket, now))

  let askAgainAt = -Infinity
  let away = false
  const failed = Effect.fnUntraced(function* (bucket: Bucket, failure: RedisFailure) {
    askAgainAt = (yield* monotonicMicros) + LEFT_ALONE_MICROS
    if (!away) yield* Effect.logWarning("Limits are counted by this process alone", failure)
    away = true
    return yield* locally(bucket)
  })
  const askAgain = Effect.fnUntraced(function* (bucket: Bucket) {
    if ((yield* monotonicMicros) < askAgainAt) return yield* locally(bucket)
    const taken = yield* redis.take(bucket)
    if (away) yield* Effect.logInfo("Limits are counted together again")
    away = false
    return taken
  })
  /**
   * Counted by all processes together; while Redis is away by this one, which then allows its own share. Without a
   * generator where all is well: every increment comes this way.
   */
  const together = (bucket: Bucket) =>
    Effect.suspend(() =>
      Effect.catch(away ? askAgain(bucket) : redis.take(bucket), (failure) => failed(bucket, failure)),
    )

  const refuse = Effect.fnUntraced(function* (policy: Policy, taken: Taken) {
    yield* limited.add(policy.kind)
    yield* HttpEffect.appendPreResponseHandler((_request, response) =>
      Effect.succeed(HttpServerResponse.setHeaders(response, headersOf(policy, taken))),
    )
    return yield* new TooManyRequests({
      retryAfterSeconds: Math.max(1, Math.ceil(taken.waitMillis / 1000)),
    })
  })

  const limit = (
    policy: Policy | undefined,
    who: string,
    take: (bucket: Bucket) => Effect.Effect<Taken>,
  ): Limited =>
    policy === undefined
      ? Effect.void
      : Effect.flatMap(take({ ...policy, who }), (taken) =>
          taken.allowed ? Effect.void : refuse(policy, taken),
        )

  return Limits.of({
    increment: (userId) => limit(increments, userId, together),
    // The address first: an account is not locked by somebody whose address is used up.
    login: (email, address) =>
      Effect.andThen(limit(addresses, address, together), limit(accounts, email.toLowerCase(), together)),
    refresh: (address) => limit(addresses, address, together),
    unauthorized: (address) => limit(unauthorized, address, locally),
  })
})
