import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Postgres from "../support/engines/Postgres.ts"
import { startRedisServer } from "../support/engines/RedisServer.ts"
import * as SqsFront from "../support/engines/SqsFront.ts"
import { type SqsServer, startSqsServer } from "../support/engines/SqsServer.ts"
import { temporaryFolder, until } from "../support/fixtures.ts"
import { type Environment, startWorker, untilReadiness } from "./fixtures.ts"

const TEN_MINUTES = 600_000

/** What a worker needs beside its queue. */
class Engines extends Context.Service<Engines, { readonly sqs: SqsServer; readonly env: Environment }>()(
  "test/e2e/queueAccess/Engines",
) {
  static readonly layer = Layer.effect(
    Engines,
    Effect.gen(function* () {
      const [postgres, redis, sqs] = yield* Effect.all(
        [Postgres.make(), startRedisServer(), startSqsServer()],
        {
          concurrency: "unbounded",
        },
      )
      return { sqs, env: { DATABASE_URL: Redacted.value(postgres.url), REDIS_URL: redis.url } }
    }),
  )
}

/** A queue of its own behind a front, and what sends to it and looks into it past the front. */
const setup = Effect.gen(function* () {
  const engines = yield* Engines
  // What was received and could not be deleted is received again after this.
  const queue = yield* engines.sqs.createQueue({ visibilitySeconds: 3 })
  const front = yield* SqsFront.make(queue.endpoint)
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...queueEnv } = queue.env
  const client = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region: queue.env.AWS_REGION,
          endpoint: queue.endpoint,
          credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
        }),
    ),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  const depth = (QueueUrl: string) =>
    Effect.promise(async () => {
      const { Attributes } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
      )
      return (
        Number(Attributes?.ApproximateNumberOfMessages) +
        Number(Attributes?.ApproximateNumberOfMessagesNotVisible)
      )
    })
  return {
    front,
    /** Variables of the worker without credentials, for which it looks into no metadata service. */
    env: {
      ...engines.env,
      ...queueEnv,
      AWS_ENDPOINT_URL_SQS: front.endpoint,
      AWS_EC2_METADATA_DISABLED: "true",
    },
    credentials: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
    send: Effect.promise(() =>
      client.send(
        new SendMessageBatchCommand({
          QueueUrl: queue.queueUrl,
          Entries: Array.from({ length: 10 }, (_, index) => ({
            Id: String(index),
            MessageBody: JSON.stringify({
              userId: "u",
              email: "player@example.com",
              type: "score.increment",
            }),
          })),
        }),
      ),
    ),
    /** Every message was handled and deleted; none was given up. */
    untilHandled: Effect.gen(function* () {
      yield* until("the queue is empty", depth(queue.queueUrl), (messages) => messages === 0, "30 seconds")
      assert.strictEqual(yield* depth(queue.deadLetterUrl), 0)
    }),
  }
})

layer(Engines.layer, { timeout: "60 seconds", excludeTestServices: true })(
  "A worker whose access to the queue is refused",
  (it) => {
    it.effect.each([
      ["ahead", TEN_MINUTES],
      ["behind", -TEN_MINUTES],
    ] as const)("handles every message while its clock is ten minutes %s", ([, shift]) =>
      Effect.gen(function* () {
        const { front, env, credentials, send, untilHandled } = yield* setup
        yield* send
        const worker = yield* startWorker({
          ...env,
          ...credentials,
          NODE_OPTIONS: `--import=${new URL("../support/shiftedClock.ts", import.meta.url).href}`,
          SHIFT_CLOCK_MILLIS: String(shift),
        })
        yield* untilHandled
        yield* untilReadiness(worker.management, "200 ready")
        const refusals = front.refusals()
        assert.include(refusals, "SignatureDoesNotMatch")
        // Corrected, not merely retried: only the first calls, made at the same time, are refused.
        yield* send
        yield* untilHandled
        assert.deepStrictEqual(front.refusals(), refusals)
      }),
    )

    it.effect("handles every message after its credentials file was rotated", () =>
      Effect.gen(function* () {
        const { front, env, send, untilHandled } = yield* setup
        const file = join(yield* temporaryFolder, "credentials")
        const write = (keyId: string) =>
          Effect.promise(() =>
            writeFile(file, `[default]\naws_access_key_id = ${keyId}\naws_secret_access_key = of-${keyId}\n`),
          )
        yield* write("FIRST")
        yield* front.acceptOnly("FIRST")
        const worker = yield* startWorker({ ...env, AWS_SHARED_CREDENTIALS_FILE: file })
        yield* send
        yield* untilHandled
        assert.deepStrictEqual(front.refusals(), [])

        yield* front.acceptOnly("SECOND")
        yield* untilReadiness(worker.management, "503 unavailable without sqs")
        yield* write("SECOND")
        yield* send
        yield* untilHandled
        yield* untilReadiness(worker.management, "200 ready")
        assert.include(front.refusals(), "InvalidClientTokenId")
      }),
    )

    it.effect("handles every message after its key was refused once", () =>
      Effect.gen(function* () {
        const { front, env, credentials, send, untilHandled } = yield* setup
        yield* front.refuseOnce
        yield* send
        yield* startWorker({ ...env, ...credentials })
        yield* untilHandled
        assert.deepStrictEqual(front.refusals(), ["InvalidClientTokenId"])
      }),
    )
  },
)
