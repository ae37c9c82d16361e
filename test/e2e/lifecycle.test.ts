import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TcpProxy from "../support/engines/TcpProxy.ts"
import { openViewer, request, until } from "../support/fixtures.ts"
import { Engines, increment, signIn, startApi, startWorker, stopped } from "./fixtures.ts"

layer(Engines.layer({ users: 2 }), { timeout: "60 seconds", excludeTestServices: true })(
  "A process",
  (it) => {
    it.effect("ends with 0 on SIGTERM, with sockets open, and tells them to come back", () =>
      Effect.gen(function* () {
        const { env, cognito } = yield* Engines
        const api = yield* startApi(env)
        const worker = yield* startWorker(env)
        const viewers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
          openViewer(`${api.url}/scores/websocket`),
        )
        const token = yield* signIn(api.url, cognito.users[0])
        assert.strictEqual((yield* increment(api.url, token)).status, 200)
        const [api_, worker_] = yield* Effect.all([stopped(api, "SIGTERM"), stopped(worker, "SIGTERM")], {
          concurrency: 2,
        })
        assert.deepStrictEqual([api_.code, worker_.code], [0, 0])
        assert.isBelow(api_.millis, 4_000)
        assert.isBelow(worker_.millis, 4_000)
        for (const viewer of viewers) assert.strictEqual(yield* viewer.closed, 1012)
      }),
    )

    it.effect("takes a signal for one that is repeated until the process has ended", () =>
      Effect.gen(function* () {
        const { env } = yield* Engines
        const api = yield* startApi(env)
        yield* openViewer(`${api.url}/scores/websocket`)
        yield* Effect.forkScoped(
          Effect.forever(Effect.andThen(api.process.signal("SIGINT"), Effect.sleep("1 millis"))),
        )
        assert.strictEqual(yield* api.process.exit, 0)
      }).pipe(Effect.scoped),
    )

    it.effect("ends with npm when it was started by `npm run api`", () =>
      Effect.gen(function* () {
        const { env } = yield* Engines
        const api = yield* startApi(env, { npm: true })
        yield* openViewer(`${api.url}/scores/websocket`)
        const { millis } = yield* stopped(api, "SIGTERM")
        assert.isBelow(millis, 5_000)
        yield* until("nobody listens", Effect.exit(request(`${api.url}/scores`)), Exit.isFailure)
        yield* until("nobody listens", Effect.exit(request(`${api.management}/health/live`)), Exit.isFailure)
      }),
    )

    for (const signal of ["SIGKILL", "SIGTERM"] as const)
      it.effect(`loses nothing when ${signal} comes between the commit and the queue`, () =>
        Effect.gen(function* () {
          const { env, sqs, cognito, postgres } = yield* Engines
          const queue = yield* sqs.createQueue()
          const network = yield* TcpProxy.make(Number(new URL(queue.endpoint).port))
          const database = yield* postgres.freshDatabase
          const behind = {
            ...env,
            ...queue.env,
            DATABASE_URL: Redacted.value(database),
            AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${network.port}`,
          }
          const sql = Context.get(yield* Layer.build(PgClient.layer({ url: database })), PgClient.PgClient)

          const api = yield* startApi(behind)
          const tokens = yield* Effect.forEach(cognito.users, (user) => signIn(api.url, user))
          let answered = 0
          const load = yield* Effect.forEach(
            Array.from({ length: 2_000 }, (_, index) => index),
            (index) =>
              Effect.exit(increment(api.url, tokens[index % tokens.length] ?? "")).pipe(
                Effect.map((exit) => {
                  if (Exit.isSuccess(exit) && exit.value.status === 200) answered += 1
                }),
              ),
            { concurrency: 20, discard: true },
          ).pipe(Effect.forkChild)
          yield* until(
            "some are sent",
            Effect.sync(() => answered),
            (count) => count > 40,
          )
          yield* network.stall
          const before = answered
          yield* until(
            "some are committed only",
            Effect.sync(() => answered),
            (count) => count > before + 300,
          )
          const end = yield* stopped(api, signal)
          assert.strictEqual(end.code, signal === "SIGKILL" ? signal : 0)
          assert.isBelow(end.millis, 12_000)
          yield* Fiber.join(load)

          const [sums] = yield* sql<{ readonly scores: number; readonly events: number }>`
select (select sum(score)::int from scores) as scores, (select sum(coalesce(points, amount))::int from score_events) as events`
          assert.strictEqual(sums?.scores, sums?.events)
          const events = yield* sql<{
            readonly id: string
          }>`select id::text as id from score_events`
          assert.isAtLeast(events.length, answered)
          const [unsent] = yield* sql<{ readonly rows: number }>`select count(*)::int as rows from outbox`
          assert.isAbove(unsent?.rows ?? 0, 0)

          // What was on its way is lost, not late.
          yield* network.refuse
          yield* network.forward
          yield* startApi(behind)
          yield* until(
            "the outbox is empty",
            sql<{ readonly rows: number }>`select count(*)::int as rows from outbox`,
            ([row]) => row?.rows === 0,
            "30 seconds",
          )
          const client = yield* Effect.acquireRelease(
            Effect.sync(
              () =>
                new SQSClient({
                  region: queue.env.AWS_REGION,
                  endpoint: queue.endpoint,
                  credentials: { accessKeyId: "local", secretAccessKey: "local" },
                }),
            ),
            (opened) => Effect.sync(() => opened.destroy()),
          )
          const sent = new Set<string>()
          const receive = Effect.promise(async () => {
            const { Messages = [] } = await client.send(
              new ReceiveMessageCommand({
                QueueUrl: queue.queueUrl,
                MaxNumberOfMessages: 10,
                MessageAttributeNames: ["All"],
              }),
            )
            for (const { MessageAttributes } of Messages)
              sent.add(MessageAttributes?.["eventId"]?.StringValue ?? "")
            if (Messages.length === 0) return 0
            const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
            await client.send(new DeleteMessageBatchCommand({ QueueUrl: queue.queueUrl, Entries }))
            return Messages.length
          })
          yield* until("the queue is empty", receive, (count) => count === 0, "20 seconds")
          assert.deepStrictEqual(
            events.filter(({ id }) => !sent.has(id)),
            [],
          )
        }),
      )
  },
)
