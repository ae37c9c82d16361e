import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { openViewer, request, until } from "../support/fixtures.ts"
import type { SqsQueue } from "../support/engines/SqsServer.ts"
import {
  audit,
  Engines,
  increment,
  redisClient,
  type Running,
  type RunningApi,
  signIn,
  startApi,
  startWorker,
  untilReadiness,
} from "./fixtures.ts"

const KEY = "leaderboard:top10"
const CHANNEL = "leaderboard:updated"

class System extends Context.Service<
  System,
  { readonly apis: readonly [RunningApi, RunningApi]; readonly workers: readonly [Running, Running] }
>()("test/e2e/System") {
  static readonly layer = Layer.effect(
    System,
    Effect.gen(function* () {
      const { env } = yield* Engines
      const [first, second, ...workers] = yield* Effect.all(
        [startApi(env), startApi(env), startWorker(env), startWorker(env)],
        { concurrency: 2 },
      )
      return { apis: [first, second] as const, workers }
    }),
  ).pipe(Layer.provideMerge(Engines.layer({ users: 4 })))
}

const sqsClient = ({ env }: SqsQueue) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region: env.AWS_REGION,
          endpoint: env.AWS_ENDPOINT_URL_SQS,
          credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )

/** Messages of a queue, those that someone has received included. */
const depth = (client: SQSClient, QueueUrl: string) =>
  Effect.promise(async () => {
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
    )
    return (
      Number(Attributes?.ApproximateNumberOfMessages) +
      Number(Attributes?.ApproximateNumberOfMessagesNotVisible)
    )
  })

/** Whether a board has these scores, exactly and in this order. */
const shows = (...scores: ReadonlyArray<{ readonly email: string; readonly score: number }>) =>
  JSON.stringify({ scores })

layer(System.layer, { timeout: "60 seconds", excludeTestServices: true })("The system", (it) => {
  it.effect("is ready in every process", () =>
    Effect.gen(function* () {
      const { apis, workers } = yield* System
      for (const { management } of [...apis, ...workers]) {
        yield* untilReadiness(management, "200 ready")
        assert.strictEqual((yield* request(`${management}/health/live`)).status, 200)
        assert.match((yield* request(`${management}/metrics`)).body, /^process_resident_memory_bytes \d+/m)
      }
    }),
  )

  it.effect(
    "shows an increment at one API to the viewers of both, and keeps it in Redis as the brief has it",
    () =>
      Effect.gen(function* () {
        const { redis, cognito } = yield* Engines
        const { apis } = yield* System
        const [ada] = cognito.users
        const client = yield* redisClient(redis.url)
        const published: Array<string> = []
        const subscriber = yield* redisClient(redis.url)
        subscriber.on("message", (_channel, text) => published.push(text))
        yield* Effect.promise(() => subscriber.subscribe(CHANNEL))
        const viewers = yield* Effect.forEach(apis, ({ url }) => openViewer(`${url}/scores/websocket`))
        for (const viewer of viewers) yield* viewer.until((frame) => frame === shows())

        const token = yield* signIn(apis[0].url, ada)
        const answer = yield* increment(apis[1].url, token)
        assert.deepStrictEqual([answer.status, answer.body], [200, '{"message":"Score incremented"}'])

        const expected = shows({ email: ada.email, score: 1 })
        for (const viewer of viewers) yield* viewer.until((frame) => frame === expected)
        for (const { url } of apis) {
          yield* until(
            "the board over HTTP",
            Effect.map(request(`${url}/scores`), ({ body }) => body),
            (body) => body === expected,
          )
        }

        const stored = yield* Effect.promise(() => client.get(KEY))
        assert.isTrue(stored?.startsWith(expected.slice(0, -1)), String(stored))
        assert.strictEqual(published.at(-1), stored)
        const ttl = yield* Effect.promise(() => client.ttl(KEY))
        assert.isAtMost(ttl, 60)
        assert.isAbove(ttl, 50)
      }),
  )

  it.effect("counts what many players do at both APIs, and shows the same board to all", () =>
    Effect.gen(function* () {
      const { cognito } = yield* Engines
      const { apis } = yield* System
      const viewers = yield* Effect.forEach(apis, ({ url }) => openViewer(`${url}/scores/websocket`))
      const tokens = yield* Effect.forEach(cognito.users, (user) => signIn(apis[0].url, user))
      const answers = yield* Effect.forEach(
        Array.from({ length: 80 }, (_, index) => index),
        (index) => increment(apis[index % 2 === 0 ? 0 : 1].url, tokens[(index * 7) % 4] ?? ""),
        { concurrency: 20 },
      )
      assert.isTrue(answers.every(({ status }) => status === 200))
      // One from the test before.
      const total = (frame: string) =>
        [...frame.matchAll(/"score":(\d+)/g)].reduce((sum, [, score]) => sum + Number(score), 0)
      const last = yield* Effect.forEach(viewers, (viewer) => viewer.until((frame) => total(frame) === 81))
      assert.strictEqual(last[0], last[1])
      for (const { frames } of viewers) {
        assert.isTrue(
          frames.every((frame, index) => index === 0 || total(frame) >= total(frames[index - 1] ?? "")),
        )
      }
    }),
  )

  it.effect("repairs a board that Redis lost, and one that is none", () =>
    Effect.gen(function* () {
      const { redis } = yield* Engines
      const { apis } = yield* System
      const client = yield* redisClient(redis.url)
      const board = (yield* request(`${apis[0].url}/scores`)).body
      const spoils: ReadonlyArray<() => Promise<unknown>> = [
        () => client.del(KEY),
        () => client.set(KEY, "garbage"),
        () => client.set(KEY, '{"scores":[1]}'),
      ]
      for (const spoil of spoils) {
        yield* Effect.promise(spoil)
        assert.strictEqual((yield* request(`${apis[1].url}/scores`)).body, board)
        yield* until(
          "the key",
          Effect.promise(() => client.get(KEY)),
          (text) => text?.startsWith(board.slice(0, -1)) === true,
        )
      }
    }),
  )

  it.effect("asks the identity provider for the address of a player it has never seen", () =>
    Effect.gen(function* () {
      const { cognito, postgres } = yield* Engines
      const { apis } = yield* System
      const user = cognito.users.at(-1) ?? cognito.users[0]
      const token = yield* signIn(apis[0].url, user)
      const sql = Context.get(yield* Layer.build(PgClient.layer({ url: postgres.url })), PgClient.PgClient)
      yield* sql`delete from users where id = ${user.sub}`
      assert.strictEqual((yield* increment(apis[1].url, token)).status, 200)
      assert.deepStrictEqual(yield* sql`select email from users where id = ${user.sub}`, [
        { email: user.email },
      ])
    }),
  )

  it.effect("queues one message for each increment, byte for byte as the brief has it", () =>
    Effect.gen(function* () {
      const { env, sqs, cognito } = yield* Engines
      const queue = yield* sqs.createQueue()
      const client = yield* sqsClient(queue)
      const api = yield* startApi({ ...env, ...queue.env })
      const [ada] = cognito.users
      const token = yield* signIn(api.url, ada)
      for (let n = 0; n < 3; n++) assert.strictEqual((yield* increment(api.url, token)).status, 200)
      const bodies: Array<string> = []
      yield* until(
        "three messages",
        Effect.promise(async () => {
          const { Messages = [] } = await client.send(
            new ReceiveMessageCommand({
              QueueUrl: queue.queueUrl,
              MaxNumberOfMessages: 10,
              WaitTimeSeconds: 1,
              MessageAttributeNames: ["All"],
            }),
          )
          for (const { Body, ReceiptHandle, MessageAttributes } of Messages) {
            assert.match(String(MessageAttributes?.["eventId"]?.StringValue), /^\d+$/)
            bodies.push(Body ?? "")
            await client.send(new DeleteMessageCommand({ QueueUrl: queue.queueUrl, ReceiptHandle }))
          }
          return bodies.length
        }),
        (count) => count >= 3,
      )
      const body = `{"userId":"${ada.sub}","email":"${ada.email}","type":"score.increment"}`
      assert.deepStrictEqual(bodies, [body, body, body])
    }),
  )

  it.effect("removes messages of another type, and leaves malformed ones to the redrive policy", () =>
    Effect.gen(function* () {
      const { env, sqs } = yield* Engines
      const queue = yield* sqs.createQueue({ visibilitySeconds: 1, maxReceiveCount: 2 })
      const client = yield* sqsClient(queue)
      const malformed = ["no JSON", '{"type":1}', "[]"]
      for (const MessageBody of ['{"type":"other"}', ...malformed, '{"type":"score.increment"}']) {
        yield* Effect.promise(() =>
          client.send(new SendMessageCommand({ QueueUrl: queue.queueUrl, MessageBody })),
        )
      }
      yield* startWorker({ ...env, ...queue.env })
      yield* until(
        "the malformed ones aside",
        depth(client, queue.deadLetterUrl),
        (count) => count === malformed.length,
        "20 seconds",
      )
      assert.strictEqual(yield* depth(client, queue.queueUrl), 0)
    }),
  )

  it.effect("writes nothing into its logs that is nobody's business, and every line as JSON", () =>
    Effect.gen(function* () {
      const { cognito } = yield* Engines
      const { apis, workers } = yield* System
      const [{ url }] = apis
      const [ada] = cognito.users
      const token = yield* signIn(url, ada)
      const before = apis[0].process.lines().length
      const refused = yield* Effect.forEach(
        [
          { ...ada, password: `${ada.password}!` },
          { email: "nobody@example.com", password: ada.password },
        ],
        (body) =>
          request(`${url}/users/auth/login`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
          }),
      )
      assert.deepStrictEqual(
        refused.map(({ status }) => status),
        [401, 401],
      )
      assert.strictEqual((yield* increment(url, `${token}x`)).status, 401)
      // Redirects and query strings are where tokens end up by mistake.
      assert.strictEqual((yield* request(`${url}/scores/websocket?access_token=${token}`)).status, 426)

      assert.isAbove(apis[0].process.lines().length, before)
      for (const { process } of [...apis, ...workers]) audit(process.lines())
      for (const planted of [token, ada.email, ada.password, "no JSON"]) {
        assert.throws(() =>
          audit([JSON.stringify({ message: planted }).slice(planted === "no JSON" ? 1 : 0)]),
        )
      }
    }),
  )
})
