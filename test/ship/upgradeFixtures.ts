import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { type Backend, startBalancer } from "../support/engines/balancer.ts"
import { type ChildProcess, spawn } from "../support/engines/ChildProcess.ts"
import * as FakeCognito from "../support/engines/FakeCognito.ts"
import * as Postgres from "../support/engines/Postgres.ts"
import { startRedisServer } from "../support/engines/RedisServer.ts"
import { type SqsQueue, startSqsServer } from "../support/engines/SqsServer.ts"
import { mint } from "../support/engines/TokenIssuer.ts"
import { request, until } from "../support/fixtures.ts"
import type { Player } from "./upgradeLoad.ts"

/** How long the balancer, which asks every 50 ms, has to notice that a process is leaving; also on a busy machine. */
const SHUTDOWN_DELAY = "3 seconds"

/** What never comes fails the test by then, also on a machine that is busy with other work. */
const PATIENCE = "180 seconds"

/** Increments that each API answers, and messages that each worker receives, before the next step. */
const SHARE = 30

/** What a worker that leaves has just received comes to another one after this time, and not after 30 s. */
const QUEUE = { visibilitySeconds: 5 }

const TOKEN_SECONDS = 3600

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/

/** A line that asks for nobody's attention: a busy machine is late, which is a warning. */
const USUAL = /"level":"(?:TRACE|DEBUG|INFO|WARN)"/i

const SERVES = { api: /"The API is listening".*"port":(\d+)/, worker: MANAGEMENT }

/** A counter of a process, summed over the labels that match. */
const METRICS = {
  api: /^increments_total\{[^}]*outcome="counted"[^}]*\} (\d+)/gm,
  worker: /^worker_messages_total\{[^}]*outcome="increment"[^}]*\} (\d+)/gm,
}

/** Of an API or a worker, of whatever release. */
export interface Member {
  readonly kind: "api" | "worker"
  readonly child: ChildProcess
  /** Of an API: its own address, past the balancer. */
  readonly url: string
  readonly backend: Backend
  /** How many increments it has counted, or messages received. */
  readonly done: Effect.Effect<number, Error>
}

/** How a command ended. */
interface Ended {
  readonly code: number
  readonly output: string
}

/** Engines, and a balancer before all APIs. A process runs the code in a folder, of which there may be several. */
export const makeUpgradeEngines = Effect.gen(function* () {
  const [postgres, redis, sqs, identity] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startSqsServer(QUEUE), FakeCognito.make],
    { concurrency: "unbounded" },
  )
  const balancer = yield* startBalancer()
  const complaints: Array<string> = []
  const env = {
    PATH: process.env["PATH"],
    HOST: "127.0.0.1",
    PORT: "0",
    MANAGEMENT_PORT: "0",
    LOG_FORMAT: "json",
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: redis.url,
    ...sqs.env,
    ...identity.env,
    COGNITO_JWKS_URI: `${identity.env.COGNITO_ISSUER}/.well-known/jwks.json`,
    // Every client here has the same address.
    INCREMENT_RATE_LIMIT: "0",
    PAGE_RATE_LIMIT_ADDRESS: "0",
    SHUTDOWN_DELAY,
  }

  /** Starts a process from the code in a folder; an API also gets its share of new connections. */
  const start = Effect.fnUntraced(function* (folder: string, kind: "api" | "worker") {
    const child = yield* spawn({
      command: process.execPath,
      args: [`src/main-${kind}.ts`],
      cwd: folder,
      env,
      readyWhen: SERVES[kind],
      // It migrates first, and waits for its turn.
      readyWithinMillis: 120_000,
      stopWithinMillis: 30_000,
      onLine: (line) => {
        if (!USUAL.test(line)) complaints.push(`${kind}: ${line}`)
      },
    })
    const management = child.lines().flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])[0]
    const backend: Backend = { port: Number(child.ready[1]), managementPort: Number(management) }
    if (kind === "api") {
      const ready = balancer.ready()
      yield* balancer.add(backend)
      yield* until("the balancer finds it ready", Effect.sync(balancer.ready), (now) => now > ready, PATIENCE)
    }
    const member: Member = {
      kind,
      child,
      backend,
      url: `http://127.0.0.1:${backend.port}`,
      done: Effect.map(request(`http://127.0.0.1:${management}/metrics`), ({ body }) =>
        Array.from(body.matchAll(METRICS[kind]), ([, count]) => Number(count)).reduce((a, b) => a + b, 0),
      ),
    }
    return member
  })

  /** Stops a process as a rolling restart does: it ends by itself, with 0. */
  const leave = Effect.fnUntraced(function* (member: Member) {
    yield* member.child.signal("SIGTERM")
    assert.strictEqual(yield* Effect.timeout(member.child.exit, "40 seconds"), 0)
    yield* balancer.remove(member.backend)
  })

  /** Runs a command of an operator, from the code in a folder, to its end. */
  const admin = (folder: string, ...args: ReadonlyArray<string>) =>
    Effect.callback<Ended>((resume) => {
      const command = ["src/main-admin.ts", ...args]
      const child = execFile(process.execPath, command, { cwd: folder, env }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resume(Effect.succeed({ code, output: stdout + stderr }))
      })
      return Effect.sync(() => void child.kill("SIGKILL"))
    })

  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims = { iss: identity.env.COGNITO_ISSUER, token_use: "access", client_id: FakeCognito.CLIENT }
  const player = (name: string): Player => {
    const [userId, email] = [`${name}-${randomUUID()}`, `${name}@example.com`]
    const times = { iat: nowSeconds, exp: nowSeconds + TOKEN_SECONDS }
    const token = mint(FakeCognito.key, {
      ...claims,
      ...times,
      sub: userId,
      jti: randomUUID(),
      origin_jti: randomUUID(),
      email,
    })
    return { userId, email, token }
  }
  return { postgres, sqs, balancer, complaints, start, leave, admin, player }
})

export type Engines = Effect.Success<typeof makeUpgradeEngines>

/** Waits until every one of these has had its share of the load since now. */
export const allShare = Effect.fnUntraced(function* (members: ReadonlyArray<Member>) {
  const before = yield* Effect.forEach(members, ({ done }) => done)
  yield* Effect.forEach(members, ({ done, kind }, at) =>
    until(`the ${kind} has its share`, done, (count) => count >= (before[at] ?? 0) + SHARE, PATIENCE),
  )
})

/** Messages of a queue, those that someone has received included. */
const depthOf = (client: SQSClient, QueueUrl: string) =>
  Effect.promise(async () => {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] })
    const { Attributes } = await client.send(command)
    return (
      Number(Attributes?.ApproximateNumberOfMessages) +
      Number(Attributes?.ApproximateNumberOfMessagesNotVisible)
    )
  })

/** Waits until the queue is empty; gives how many messages nobody could use. */
export const drained = ({ env, queueUrl, deadLetterUrl }: SqsQueue) =>
  Effect.scoped(
    Effect.gen(function* () {
      const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY }
      const client = yield* Effect.acquireRelease(
        Effect.sync(
          () => new SQSClient({ region: env.AWS_REGION, endpoint: env.AWS_ENDPOINT_URL_SQS, credentials }),
        ),
        (opened) => Effect.sync(() => opened.destroy()),
      )
      yield* until("the queue is empty", depthOf(client, queueUrl), (depth) => depth === 0, PATIENCE)
      return yield* depthOf(client, deadLetterUrl)
    }),
  )
