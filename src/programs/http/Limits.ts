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
import { outageLog } from "../../foundation/OutageLog.ts"
import { Listener } from "../../services/Listener/Listener.ts"
import { CLIENT_ADDRESS, isForwarded } from "../../services/Listener/ListenerClient.ts"
import { type Bucket, isRedisOutage, Redis, type Taken } from "../../services/Redis/Redis.ts"
import { makeBuckets } from "../../services/Redis/RedisBucket.ts"

/** Buckets of this process, used while Redis is unavailable and for limits that are counted only here: some 2 MB. */
const LOCAL_BUCKETS = 10_000

const SECOND_MICROS = 1_000_000

const KINDS = ["increment", "login", "login-address", "unauthorized", "page"] as const
type Kind = (typeof KINDS)[number]

const limited = labelledCounter({
  name: "requests_limited_total",
  description: "Requests refused with 429, by the limit they exceeded.",
  label: "limit",
  values: KINDS,
})

const Limit = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
const Burst = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

/** A limit: `burst` requests at once, one more every `refillMicros`. */
interface Policy {
  readonly kind: Kind
  readonly burst: number
  readonly refillMicros: number
}

/** The policy of a configured limit; undefined for 0, which means not limited. */
const policyOf = (kind: Kind, limit: number, windowSeconds: number, burst = limit): Policy | undefined =>
  limit === 0 ? undefined : { kind, burst, refillMicros: Math.round((windowSeconds * SECOND_MICROS) / limit) }

/** The client address under which a request is counted. */
export const clientAddressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  request.headers[CLIENT_ADDRESS] ?? ""

type Limited = Effect.Effect<void, TooManyRequests, HttpServerRequest.HttpServerRequest>

/** How often a client may try. A refused request has no side effects and consumes no tokens. */
export class Limits extends Context.Service<
  Limits,
  {
    /** Call before an increment. Counts per player, over all processes. */
    increment(userId: UserId): Limited
    /** Call before a login. Counts per address and per account, whatever the capitals in its e-mail. */
    login(email: string, address: string): Limited
    /** Call before a refresh. Counts per address, together with its logins. */
    refresh(address: string): Limited
    /** Call after a request was refused because it had no valid token. Counts per address, in this process only. */
    unauthorized(address: string): Limited
    /**
     * Call before a page is read. Counts per address, in this process only: it protects the process's own connections,
     * and a flood must not make us ask Redis.
     */
    page(request: HttpServerRequest.HttpServerRequest): Limited
  }
>()("scoreboard/programs/Limits") {
  static readonly config = {
    increments: Config.schema(Limit, "INCREMENT_RATE_LIMIT").pipe(Config.withDefault(10)),
    incrementBurst: Config.schema(Burst, "INCREMENT_RATE_BURST").pipe(Config.withDefault(20)),
    logins: Config.schema(Limit, "LOGIN_RATE_LIMIT").pipe(Config.withDefault(10)),
    loginsPerAddress: Config.schema(Limit, "LOGIN_RATE_LIMIT_ADDRESS").pipe(Config.withDefault(100)),
    unauthorized: Config.schema(Limit, "UNAUTHORIZED_RATE_LIMIT_ADDRESS").pipe(Config.withDefault(300)),
    // Ten a second, and a minute's worth at once: "load more" is pressed once a second at most.
    pages: Config.schema(Limit, "PAGE_RATE_LIMIT_ADDRESS").pipe(Config.withDefault(600)),
    trustedProxyHops: Listener.config.trustedProxyHops,
  }

  static readonly layer = Layer.effect(
    Limits,
    Effect.suspend(() => make),
  )
}

/** The fields of draft-ietf-httpapi-ratelimit-headers-10: the quota, its time window and what is left of it. */
const headersOf = ({ kind, burst, refillMicros }: Policy, { remaining, waitMillis }: Taken) => ({
  "ratelimit-policy": `"${kind}";q=${burst};w=${Math.max(1, Math.round((burst * refillMicros) / SECOND_MICROS))}`,
  ratelimit: `"${kind}";r=${remaining};t=${Math.ceil(waitMillis / 1000)}`,
})

/** Logged once. */
const forwarded = Effect.logWarning(
  "Pages are not limited per address: a proxy forwards requests, and their clients are unknown without TRUSTED_PROXY_HOPS",
)

const make = Effect.gen(function* () {
  const redis = yield* Redis
  const config = yield* Config.all(Limits.config)
  const increments = policyOf("increment", config.increments, 1, config.incrementBurst)
  const accounts = policyOf("login", config.logins, 60)
  const addresses = policyOf("login-address", config.loginsPerAddress, 60)
  const unauthorized = policyOf("unauthorized", config.unauthorized, 60)
  const pages = policyOf("page", config.pages, 60)

  const takeLocally = makeBuckets(LOCAL_BUCKETS)
  const locally = (bucket: Bucket) => Effect.map(monotonicMicros, (now) => takeLocally(bucket, now))

  const logged = outageLog({
    begins: "Limits are counted by this process alone",
    ends: "Limits are counted by all processes together again",
    belongs: isRedisOutage,
  })
  /** Counts over all processes. While Redis is unavailable this process counts alone and allows the whole limit itself. */
  const together = (bucket: Bucket) => Effect.catch(logged(redis.take(bucket)), () => locally(bucket))

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

  const warnOnce = yield* Effect.cached(forwarded)
  /** Behind a proxy that we were not told of, all viewers have its address: together they would meet the limit. */
  const limitPage = (request: HttpServerRequest.HttpServerRequest) =>
    pages !== undefined && config.trustedProxyHops === 0 && isForwarded(request.headers)
      ? warnOnce
      : limit(pages, clientAddressOf(request), locally)

  return Limits.of({
    increment: (userId) => limit(increments, userId, together),
    // The address first: a client whose address has no tokens left cannot use up the tokens of an account.
    login: (email, address) =>
      Effect.andThen(limit(addresses, address, together), limit(accounts, email.toLowerCase(), together)),
    refresh: (address) => limit(addresses, address, together),
    unauthorized: (address) => limit(unauthorized, address, locally),
    page: limitPage,
  })
})
