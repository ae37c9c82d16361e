import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Client } from "pg"
import { join } from "node:path"
import type * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import { startRedisServer } from "../test/support/engines/RedisServer.ts"
import { startSqsServer } from "../test/support/engines/SqsServer.ts"
import { spawn } from "../test/support/engines/ChildProcess.ts"
import { cpuMicros } from "./figures.ts"

/** How long a queue may take to drain after a run before the run counts as broken. */
const DRAIN_LIMIT_MILLIS = 120_000

/** A system under test: API and worker as processes, with a database, a Redis and a queue of its own. */
export interface System {
  readonly name: string
  readonly port: number
  readonly redisUrl: string
  /** Processor time so far, in microseconds. */
  readonly cpu: () => { readonly api: number; readonly worker: number }
  /** Calls to SQS so far, by both processes. */
  readonly calls: () => Promise<number>
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
}

const scoreboard = (name: string, folder: string): Implementation => ({
  name,
  folder,
  api: "src/main-api.ts",
  worker: "src/main-worker.ts",
  insertPlayers: "insert into users (id, email) select * from unnest($1::text[], $2::text[])",
  totals: ["select coalesce(sum(score), 0) from scores", "select count(*) from score_events"],
  unsent: "select count(*) from outbox",
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
}

export interface Player {
  readonly id: string
  readonly email: string
}

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
  /** More variables of both processes. */
  readonly env?: Readonly<Record<string, string>>
}) {
  const { implementation } = options
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
  const run = (role: "api" | "worker", readyWhen: RegExp) =>
    spawn({
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
      env,
      readyWhen,
    })
  const api = yield* run("api", /listening.*?"port":"?(\d+)|listening on (\d+)/)
  const worker = yield* run("worker", /polling|"connection":"subscriber"|Redis is connected/)

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
  const system: System = {
    name: implementation.name,
    port: Number(api.ready[1] ?? api.ready[2]),
    redisUrl: redis.url,
    cpu: () => ({ api: cpuMicros(api.pid), worker: cpuMicros(worker.pid) }),
    calls: async () => Number(await (await fetch(`${sqs.endpoint}/_calls`)).text()),
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
      const log = [...api.lines(), ...worker.lines()].slice(-20).join("\n")
      throw new Error(
        `${implementation.name}: ${accepted} increments were accepted, ${unknown} are unknown, the database got ${totals.join(" and ")}\n${log}`,
      )
    },
  }
  return system
})
