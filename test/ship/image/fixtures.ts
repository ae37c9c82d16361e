import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as CognitoServer from "../../support/engines/CognitoServer.ts"
import * as Postgres from "../../support/engines/Postgres.ts"
import { startRedisServer } from "../../support/engines/RedisServer.ts"
import { startSqsServer } from "../../support/engines/SqsServer.ts"
import { request, untilSignedIn } from "../../support/fixtures.ts"
import { buildImages } from "./build.ts"
import { type Container, containersOf, type Environment } from "./containers.ts"

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/

const managementOf = (container: Container) =>
  `http://127.0.0.1:${container.lines().flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])[0]}`

/** Engines of this machine and the variables by which a container finds them. */
const makeEngines = Effect.gen(function* () {
  const [postgres, redis, sqs, cognito] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startSqsServer(), CognitoServer.make()],
    { concurrency: "unbounded" },
  )
  const env: Environment = {
    ...sqs.env,
    ...cognito.env,
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: redis.url,
    LOG_FORMAT: "json",
    // The container has the network of this machine, and nobody else's business is with its ports.
    HOST: "127.0.0.1",
    PORT: "0",
    MANAGEMENT_PORT: "0",
  }
  return { env, user: cognito.users[0] }
})

const makeSystem = Effect.gen(function* () {
  const images = yield* buildImages
  const containers = yield* containersOf(images.product)
  const { env, user } = yield* makeEngines
  const began = performance.now()
  // The API is what the image starts without arguments.
  const api = yield* containers.start({ args: [], env, readyWhen: /"The API is listening".*"port":(\d+)/ })
  const startMillis = performance.now() - began
  const worker = yield* containers.start({ args: ["src/main-worker.ts"], env, readyWhen: MANAGEMENT })
  return {
    images,
    containers,
    env,
    user,
    /** From the command to the open port, with all migrations. */
    startMillis,
    api: { container: api, url: `http://127.0.0.1:${api.ready[1]}`, management: managementOf(api) },
    worker: { container: worker, management: managementOf(worker) },
  }
})

/** The built image, and an API and a worker in containers of it, on engines of this machine. */
export class Shipped extends Context.Service<Shipped, Effect.Success<typeof makeSystem>>()(
  "test/ship/Shipped",
) {
  static readonly layer = Layer.effect(Shipped, makeSystem)
}

const Tokens = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))

/** Signs in and gives the access token. */
export const signIn = Effect.fnUntraced(function* (
  url: string,
  { email, password }: CognitoServer.CognitoUser,
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
