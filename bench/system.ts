import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Client } from "pg"
import { join } from "node:path"
import type * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import { startRedisServer } from "../test/support/engines/RedisServer.ts"
import { freePort } from "../test/support/engines/freePort.ts"
import { startSqsServer } from "../test/support/engines/SqsServer.ts"
import { spawn } from "../test/support/engines/ChildProcess.ts"
import { cpuMicros } from "./figures.ts"

/** How long a queue may take to drain after a run before the run counts as broken. */
const DRAIN_LIMIT_MILLIS = 120_000

/** A system under test: APIs and workers as processes, with a database, a Redis and a queue of its own. */
export interface System {
  readonly name: string
  /** The first API's. */
  readonly port: number
  /** Every API's. */
  readonly ports: ReadonlyArray<number>
  /** The first API's port for operators. */
  readonly management: number
  readonly redisUrl: string
  /** Processor time so far, in microseconds. */
  readonly cpu: () => { readonly api: number; readonly worker: number }
  /** Calls to SQS so far, by all processes: `Send`, `Receive` and `Delete`. */
  readonly calls: () => Promise<Readonly<Record<string, number>>>
  /** How often the board was selected from PostgreSQL so far, by all processes; NaN if they do not count it. */
  readonly selects: () => Promise<number>
  /** Waits until every message was sent, received and deleted. */
  readonly drained: () => Promise<void>
  /**
   * Takes the outcome of a run, and throws unless scores and history (where there is one) got all 200s so far, and
   * nothing but these and increments whose answer never came: those may still be counted, in a later run as well.
   */
  readonly reconcile: (load: { readonly accepted: number; readonly unknown: number }) => Promise<void>
}

/** What differs between two implementations. */
export interface Implementation {
  readonly name: string
  readonly folder: string
  readonly api: string
  readonly worker: string
  readonly insertPlayers: string
  /** Each must rise by the number of accepted increments. */
  readonly totals: ReadonlyArray<string>
  /** Rows that are still to be sent to the queue. */
  readonly unsent: string
  /** The metrics that count selects of the board; none if there are none. */
  readonly selects: RegExp | undefined
}

const scoreboard = (name: string, folder: string): Implementation => ({
  name,
  folder,
  api: "src/main-api.ts",
  worker: "src/main-worker.ts",
  insertPlayers: "insert into users (id, email) select * from unnest($1::text[], $2::text[])",
  totals: ["select coalesce(sum(score), 0) from scores", "select count(*) from score_events"],
  unsent: "select count(*) from outbox",
  selects: /^(?:board_refreshes_total\{.*\}|board_reads_total\{.*source="postgresql".*\}) (\d+)/gm,
})

const root = join(import.meta.dirname, "..")

export const ours: Implementation = scoreboard("scoreboard", root)

/** Another checkout of this system: what a change is measured against. */
export const checkout = (folder: string): Implementation => scoreboard("baseline", folder)

export const express: Implementation = {
  name: "express",
  folder: root,
  api: "bench/express/api.ts",
  worker: "bench/express/worker.ts",
  insertPlayers: "insert into users (id, email) select * from unnest($1::text[], $2::text[])",
  totals: ["select coalesce(sum(score), 0) from users"],
  unsent: "select 0",
  selects: undefined,
}

export interface Player {
  readonly id: string
  readonly email: string
}

const readCalls = Schema.decodeUnknownSync(Schema.Record(Schema.String, Schema.Number))

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Starts a system and everything it needs but its database; all of it ends with the scope. */
export const start = Effect.fnUntraced(function* (options: {
  readonly implementation: Implementation
  readonly databaseUrl: Redacted.Redacted
  readonly identity: Effect.Success<typeof FakeCognito.make>["env"]
  /** Who is not in the database yet. */
  readonly players: ReadonlyArray<Player>
  /** Where CPU profiles are written when the processes end; none when absent. */
  readonly profiles: string | undefined
  /** More variables of all processes. */
  readonly env?: Readonly<Record<string, string>>
  /** How many processes there are: one of each when left out. */
  readonly processes?: { readonly apis: number; readonly workers: number }
}) {
  const { implementation, processes = { apis: 1, workers: 1 } } = options
  const databaseUrl = Redacted.value(options.databaseUrl)
  const redis = yield* startRedisServer()
  const sqs = yield* startSqsServer()
  const env = {
    PATH: process.env["PATH"],
    NODE_ENV: "production",
    HOST: "127.0.0.1",
    PORT: "0",
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    ...sqs.env,
    ...options.identity,
    COGNITO_JWKS_URI: `${options.identity.COGNITO_ISSUER}/.well-known/jwks.json`,
    WEBSOCKET_MAX_PER_ADDRESS: "5000",
    INCREMENT_RATE_LIMIT: "0",
    ...options.env,
  }
  const run = Effect.fnUntraced(function* (role: "api" | "worker", readyWhen: RegExp) {
    const management = yield* freePort
    const child = yield* spawn({
      command: process.execPath,
      args: [
        ...(options.profiles === undefined
          ? []
          : [
              "--cpu-prof",
              `--cpu-prof-dir=${options.profiles}`,
              `--cpu-prof-name=${implementation.name}-${role}.cpuprofile`,
            ]),
        implementation[role],
      ],
      cwd: implementation.folder,
      env: { MANAGEMENT_PORT: String(management), ...env },
      readyWhen,
    })
    return { ...child, management }
  })
  const apis = yield* Effect.replicateEffect(
    run("api", /listening.*?"port":"?(\d+)|listening on (\d+)/),
    processes.apis,
  )
  const workers = yield* Effect.replicateEffect(
    run("worker", /polling|"connection":"subscriber"|Redis is connected/),
    processes.workers,
  )
  const cpuOf = (children: ReadonlyArray<{ readonly pid: number }>) =>
    children.reduce((sum, { pid }) => sum + cpuMicros(pid), 0)
  const selectsOf = async (management: number) => {
    const { selects } = implementation
    if (selects === undefined) return Number.NaN
    const text = await (await fetch(`http://127.0.0.1:${management}/metrics`)).text()
    return [...text.matchAll(selects)].reduce((sum, [, count]) => sum + Number(count), 0)
  }

  const sql = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(databaseUrl)
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end()),
  )
  const count = async (query: string) => {
    const { rows } = await sql.query<{ readonly n: string }>(`select (${query}) as n`)
    return Number(rows[0]?.n)
  }
  yield* Effect.promise(() =>
    sql.query(implementation.insertPlayers, [
      options.players.map(({ id }) => id),
      options.players.map(({ email }) => email),
    ]),
  )
  const queue = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new SQSClient({
          region: sqs.env.AWS_REGION,
          endpoint: sqs.endpoint,
          credentials: {
            accessKeyId: sqs.env.AWS_ACCESS_KEY_ID,
            secretAccessKey: sqs.env.AWS_SECRET_ACCESS_KEY,
          },
        }),
    ),
    (client) => Effect.sync(() => client.destroy()),
  )
  const queued = async () => {
    const { Attributes } = await queue.send(
      new GetQueueAttributesCommand({ QueueUrl: sqs.queueUrl, AttributeNames: ["All"] }),
    )
    return (
      Number(Attributes?.["ApproximateNumberOfMessages"]) +
      Number(Attributes?.["ApproximateNumberOfMessagesNotVisible"])
    )
  }

  const totalsAtFirst = yield* Effect.promise(() => Promise.all(implementation.totals.map(count)))
  let accepted = 0
  let unknown = 0
  const ports = apis.map(({ ready }) => Number(ready[1] ?? ready[2]))
  const system: System = {
    name: implementation.name,
    port: ports[0] ?? 0,
    ports,
    management: apis[0]?.management ?? 0,
    redisUrl: redis.url,
    cpu: () => ({ api: cpuOf(apis), worker: cpuOf(workers) }),
    calls: async () => readCalls(await (await fetch(`${sqs.endpoint}/_calls`)).json()),
    selects: async () => {
      const counts = await Promise.all([...apis, ...workers].map(({ management }) => selectsOf(management)))
      return counts.reduce((sum, n) => sum + n, 0)
    },
    drained: async () => {
      const until = performance.now() + DRAIN_LIMIT_MILLIS
      while ((await count(implementation.unsent)) > 0 || (await queued()) > 0) {
        if (performance.now() > until) throw new Error(`${implementation.name}: the queue does not drain`)
        await pause(50)
      }
    },
    reconcile: async (load) => {
      const totals = (await Promise.all(implementation.totals.map(count))).map(
        (total, index) => total - (totalsAtFirst[index] ?? Number.NaN),
      )
      accepted += load.accepted
      unknown += load.unknown
      if (totals.every((n) => n === totals[0] && n >= accepted && n <= accepted + unknown)) return
      const log = [...apis, ...workers].flatMap((child) => child.lines().slice(-10)).join("\n")
      throw new Error(
        `${implementation.name}: ${accepted} increments were accepted, ${unknown} are unknown, the database got ${totals.join(" and ")}\n${log}`,
      )
    },
  }
  return system
})
