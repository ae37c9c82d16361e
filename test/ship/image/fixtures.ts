import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Postgres from "../../support/engines/Postgres.ts"
import { startRedisServer } from "../../support/engines/RedisServer.ts"
import { request, untilSignedIn } from "../../support/fixtures.ts"
import { buildImages } from "./build.ts"
import { type Container, containerRunner, type Environment } from "./containers.ts"
import { startEmulators } from "./emulators.ts"

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/

const managementOf = (container: Container) =>
  `http://127.0.0.1:${container.lines().flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])[0]}`

/** Of the emulators. */
const USER = { email: "ada@example.com", password: "scoreboard" }

const makeSystem = Effect.gen(function* () {
  const images = yield* buildImages
  const runner = yield* containerRunner(images.product)
  const [postgres, redis, emulators] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startEmulators(runner, images.development)],
    { concurrency: "unbounded" },
  )
  const env: Environment = {
    ...emulators.printed,
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: redis.url,
    LOG_FORMAT: "json",
    // A container has the network of this machine, and nobody else's business is with its ports.
    HOST: "127.0.0.1",
    PORT: "0",
    MANAGEMENT_PORT: "0",
  }
  const began = performance.now()
  // The API is what the image starts without arguments.
  const api = yield* runner.start(images.product, {
    env,
    readyWhen: /"The API is listening".*"port":(\d+)/,
  })
  const startMillis = performance.now() - began
  const worker = yield* runner.start(images.product, {
    args: ["src/main-worker.ts"],
    env,
    readyWhen: MANAGEMENT,
  })
  return {
    images,
    runner,
    emulators,
    env,
    user: USER,
    /** From the command to the open port, with all migrations. */
    startMillis,
    api: { container: api, url: `http://127.0.0.1:${api.ready[1]}`, management: managementOf(api) },
    worker: { container: worker, management: managementOf(worker) },
  }
})

/** The built images: an API, a worker and the emulators in containers of them, on a database and a Redis of this machine. */
export class Shipped extends Context.Service<Shipped, Effect.Success<typeof makeSystem>>()(
  "test/ship/Shipped",
) {
  static readonly layer = Layer.effect(Shipped, makeSystem)
}

const Tokens = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))

/** Signs in and gives the access token. */
export const signIn = Effect.fnUntraced(function* (
  url: string,
  { email, password }: { readonly email: string; readonly password: string },
) {
  const answer = yield* untilSignedIn(
    request(`${url}/users/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password }),
    }),
  )
  assert.strictEqual(answer.status, 200, answer.body)
  return Schema.decodeUnknownSync(Tokens)(answer.body).accessToken
})
