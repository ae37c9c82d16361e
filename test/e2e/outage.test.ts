import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TcpProxy from "../support/engines/TcpProxy.ts"
import { openViewer, request, until } from "../support/fixtures.ts"
import { Engines, increment, signIn, startApi, startWorker, stopped, untilReadiness } from "./fixtures.ts"
import { timedRunning } from "../support/stalls.ts"

/** The engines, each behind a network of its own that the test can break. */
const setup = Effect.gen(function* () {
  const engines = yield* Engines.make({ users: 1 })
  const through = Effect.fnUntraced(function* (name: keyof typeof engines.env) {
    const url = new URL(engines.env[name] ?? "")
    const proxy = yield* TcpProxy.make(Number(url.port))
    url.port = String(proxy.port)
    return { proxy, url: url.href.replace(/\/$/, "") }
  })
  const postgres = yield* through("DATABASE_URL")
  const redis = yield* through("REDIS_URL")
  const sqs = yield* through("AWS_ENDPOINT_URL_SQS")
  const cognito = yield* through("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER")
  const keys = new URL(engines.env["COGNITO_JWKS_URI"] ?? "")
  keys.port = new URL(cognito.url).port
  return {
    user: engines.cognito.users[0],
    networks: { postgres: postgres.proxy, redis: redis.proxy, sqs: sqs.proxy, cognito: cognito.proxy },
    env: {
      ...engines.env,
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      AWS_ENDPOINT_URL_SQS: sqs.url,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: cognito.url,
      COGNITO_JWKS_URI: keys.href,
    },
  }
})

/** Does it, and holds it to a time in milliseconds. */
const within = <A, E, R>(millis: number, work: Effect.Effect<A, E, R>) =>
  Effect.map(timedRunning(work), ([elapsed, result]) => {
    assert.isBelow(elapsed, millis)
    return result
  })

const score = (frame: string) => Number(/"score":(\d+)/.exec(frame)?.[1] ?? 0)

it.live("starts without Redis, SQS and Cognito, and takes each into use when it comes", () =>
  Effect.gen(function* () {
    const { env, networks, user } = yield* setup
    yield* networks.redis.refuse
    yield* networks.sqs.refuse
    yield* networks.cognito.refuse
    const [api, worker] = yield* Effect.all([startApi(env), startWorker(env)], { concurrency: 2 })
    yield* untilReadiness(api.management, "200 degraded without cognito, redis, sqs")
    yield* untilReadiness(worker.management, "503 unavailable without redis, sqs")
    assert.strictEqual((yield* request(`${api.url}/scores`)).body, '{"scores":[]}')
    const login = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(user),
    }
    assert.strictEqual((yield* within(3_000, request(`${api.url}/users/auth/login`, login))).status, 503)
    const viewer = yield* openViewer(`${api.url}/scores/websocket`)
    yield* viewer.until((frame) => frame === '{"scores":[]}')

    yield* networks.cognito.forward
    yield* untilReadiness(api.management, "200 degraded without redis, sqs")
    const token = yield* signIn(api.url, user)
    // Counted and kept, though neither a queue nor a board takes notice.
    assert.strictEqual((yield* within(3_000, increment(api.url, token))).status, 200)

    yield* networks.redis.forward
    yield* networks.sqs.forward
    yield* untilReadiness(api.management, "200 ready")
    yield* untilReadiness(worker.management, "200 ready")
    yield* viewer.until((frame) => score(frame) === 1)
  }),
)

it.live("serves on without each of its dependencies, refused or mute, as far as it can", () =>
  Effect.gen(function* () {
    const { env, networks, user } = yield* setup
    const [api, worker] = yield* Effect.all([startApi(env), startWorker(env)], { concurrency: 2 })
    const token = yield* signIn(api.url, user)
    const viewer = yield* openViewer(`${api.url}/scores/websocket`)
    let counted = 0
    const raise = Effect.gen(function* () {
      const { status } = yield* within(3_500, increment(api.url, token))
      if (status === 200) counted += 1
      return status
    })
    const read = Effect.map(within(3_500, request(`${api.url}/scores`)), ({ status }) => status)
    const whole = Effect.andThen(
      Effect.all([
        untilReadiness(api.management, "200 ready"),
        untilReadiness(worker.management, "200 ready"),
      ]),
      // An increment of unknown outcome may have counted, too.
      Effect.andThen(
        raise,
        viewer.until((frame) => score(frame) >= counted),
      ),
    )
    yield* whole

    for (const how of ["refuse", "stall"] as const) {
      yield* networks.redis[how]
      yield* untilReadiness(api.management, "200 degraded without redis")
      yield* untilReadiness(worker.management, "503 unavailable without redis")
      assert.deepStrictEqual([yield* read, yield* raise], [200, 200], `Redis ${how}`)
      yield* networks.redis.forward
      yield* whole

      yield* networks.sqs[how]
      yield* untilReadiness(api.management, "200 degraded without sqs")
      yield* untilReadiness(worker.management, "503 unavailable without sqs")
      assert.deepStrictEqual([yield* read, yield* raise], [200, 200], `SQS ${how}`)
      yield* viewer.until((frame) => score(frame) >= counted)
      yield* networks.sqs.forward
      yield* whole

      yield* networks.cognito[how]
      assert.deepStrictEqual([yield* read, yield* raise], [200, 200], `Cognito ${how}`)
      yield* networks.cognito.forward

      yield* networks.postgres[how]
      yield* untilReadiness(api.management, "200 degraded without postgresql")
      yield* untilReadiness(worker.management, "503 unavailable without postgresql")
      assert.deepStrictEqual([yield* read, yield* raise], [200, 503], `PostgreSQL ${how}`)
      yield* networks.postgres.forward
      yield* whole
    }

    yield* networks.postgres.refuse
    yield* networks.redis.refuse
    yield* untilReadiness(api.management, "503 unavailable without postgresql, redis")
    assert.deepStrictEqual([yield* read, yield* raise], [503, 503])
    assert.strictEqual(viewer.socket.readyState, viewer.socket.OPEN)
    yield* networks.postgres.forward
    yield* networks.redis.forward
    yield* whole
    yield* until(
      "the worker's queue is read again",
      Effect.sync(() => score(viewer.frames.at(-1) ?? "")),
      (seen) => seen >= counted,
    )
  }),
)

it.live("ends with 0 in time when it is told to while nothing around it answers", () =>
  Effect.gen(function* () {
    const { env, networks, user } = yield* setup
    const [api, worker] = yield* Effect.all([startApi(env), startWorker(env)], { concurrency: 2 })
    const token = yield* signIn(api.url, user)
    assert.strictEqual((yield* increment(api.url, token)).status, 200)
    yield* openViewer(`${api.url}/scores/websocket`)
    yield* Effect.forEach(Object.values(networks), (network) => network.stall)
    const unanswered = yield* Effect.forkChild(Effect.exit(increment(api.url, token)), {
      startImmediately: true,
    })
    yield* untilReadiness(api.management, "503 unavailable without postgresql, redis, sqs")
    const ends = yield* Effect.all([stopped(api, "SIGTERM"), stopped(worker, "SIGTERM")], { concurrency: 2 })
    for (const { code, millis } of ends) {
      assert.strictEqual(code, 0)
      assert.isBelow(millis, 15_000)
    }
    yield* Fiber.join(unanswered)
  }),
)
