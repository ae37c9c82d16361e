import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { Agent, request } from "node:http"
import { join } from "node:path"
import { parseStampedBoard } from "../../src/client/BoardGuard.ts"
import { hostEnvironment, type SocketLike } from "../../src/client/Environment.ts"
import { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import { spawn } from "../support/engines/ChildProcess.ts"
import * as FakeCognito from "../support/engines/FakeCognito.ts"
import * as Postgres from "../support/engines/Postgres.ts"
import { startRedisServer } from "../support/engines/RedisServer.ts"
import { startSqsServer } from "../support/engines/SqsServer.ts"
import { mint } from "../support/engines/TokenIssuer.ts"
import { type Backend, startBalancer } from "../support/engines/balancer.ts"

/** How long the balancer, which asks every 50 ms, has to notice that a process is leaving; also on a busy machine. */
const SHUTDOWN_DELAY = "1 second"

/** Every client of a test has the same address. */
const MAX_PER_ADDRESS = "10000"

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/
const ROOT = join(import.meta.dirname, "../..")
const TOKEN_SECONDS = 3600

/** Engines, a worker, and as many API processes behind a balancer as are started, each with `settings`. */
export const startSystem = Effect.fnUntraced(function* (settings: Readonly<Record<string, string>> = {}) {
  const [postgres, redis, sqs, identity] = yield* Effect.all(
    [Postgres.make(), startRedisServer(), startSqsServer(), FakeCognito.make],
    { concurrency: "unbounded" },
  )
  const balancer = yield* startBalancer()
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
    INCREMENT_RATE_LIMIT: "0",
    WEBSOCKET_MAX_PER_ADDRESS: MAX_PER_ADDRESS,
    SHUTDOWN_DELAY,
    ...settings,
  }
  const run = (main: string, readyWhen: RegExp) =>
    spawn({
      command: process.execPath,
      args: [`src/main-${main}.ts`],
      cwd: ROOT,
      env,
      readyWhen,
      readyWithinMillis: 30_000,
      stopWithinMillis: 15_000,
    })

  const startApi = Effect.gen(function* () {
    const child = yield* run("api", /"The API is listening".*"port":(\d+)/)
    const management = child.lines().flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])[0]
    const backend: Backend = { port: Number(child.ready[1]), managementPort: Number(management) }
    yield* balancer.add(backend)
    return { child, backend }
  })
  const worker = yield* run("worker", MANAGEMENT)

  const now = Math.floor(Date.now() / 1000)
  const token = (email: string) =>
    mint(FakeCognito.key, {
      sub: randomUUID(),
      iss: identity.env.COGNITO_ISSUER,
      token_use: "access",
      client_id: FakeCognito.CLIENT,
      jti: randomUUID(),
      email,
      iat: now,
      exp: now + TOKEN_SECONDS,
    })
  return { balancer, redis, startApi, token, workerManagementPort: Number(worker.ready[1]) }
})

/** Requests in a row over kept connections: reads and increments in turn, until stopped. */
export const startLoad = (url: string, tokens: ReadonlyArray<string>) => {
  const failures: Array<string> = []
  let answered = 0
  let counted = 0
  const stopping = new AbortController()
  const { hostname, port } = new URL(url)

  const send = (agent: Agent, method: string, path: string, headers: Readonly<Record<string, string>>) =>
    new Promise<number>((resolve, reject) => {
      const sent = request({ hostname, port, method, path, agent, headers }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode ?? 0))
      })
      sent.on("error", reject)
      sent.end()
    })
  const lane = async (token: string) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0; !stopping.signal.aborted; n++) {
      const [method, path] = n % 2 === 0 ? ["GET", "/scores"] : ["POST", "/scores/increment"]
      const headers = { authorization: `Bearer ${token}`, "idempotency-key": randomUUID() }
      const outcome = await send(agent, method ?? "", path ?? "", headers).catch(String)
      if (outcome !== 200) failures.push(`${method} ${path}: ${outcome}`)
      else if (method === "POST") counted++
      answered++
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    agent.destroy()
  }
  const lanes = Promise.all(tokens.map(lane))
  return {
    failures,
    answered: () => answered,
    /** Increments answered with 200. */
    counted: () => counted,
    stop: async () => {
      stopping.abort()
      await lanes
    },
  }
}

// All clients get the same text, which is read once.
const read = { data: undefined as unknown, version: undefined as number | undefined }
const versionOf = (data: unknown) => {
  if (data !== read.data) {
    read.data = data
    read.version = parseStampedBoard(data)?.stamp?.version
  }
  return read.version
}

/** What happened to one client of the live board. */
export interface Watched {
  readonly client: ScoreboardClient
  /** When the client meant to dial, in ms: a timer that this busy process ran late does not count. */
  readonly diallingAt: Array<number>
  /** Times without a live socket, each by two moments of `performance.now()`. */
  readonly gaps: Array<{ readonly from: number; readonly to: number }>
  /** Boards on which someone had fewer points than before. */
  readonly falls: Array<string>
  /** Frames that were older than one before them on the same connection, or had no stamp. */
  readonly badFrames: Array<string>
  /** Frames, the first of a connection, that were older than what another connection had brought. */
  readonly older: () => number
}

/** Opens a client and watches it. */
export const watchBoard = (url: string): Watched => {
  const host = hostEnvironment()
  const diallingAt: Array<number> = []
  const gaps: Array<{ readonly from: number; readonly to: number }> = []
  const falls: Array<string> = []
  const badFrames: Array<string> = []
  let newest = -1
  let older = 0
  let due: number | undefined
  const after = (delayMs: number, action: () => void) => {
    const at = performance.now() + delayMs
    return host.after(delayMs, () => {
      due = at
      action()
      due = undefined
    })
  }
  const openSocket = (socketUrl: string): SocketLike => {
    diallingAt.push(due ?? performance.now())
    const socket = host.openSocket(socketUrl)
    let here = -1
    socket.addEventListener("message", ({ data }) => {
      const sent = versionOf(data)
      if (sent === undefined || sent < here) badFrames.push(String(data))
      else if (sent < newest) older++
      here = sent ?? here
      newest = Math.max(newest, here)
    })
    return socket
  }
  const client = new ScoreboardClient({ url, fetchFirst: false, environment: { ...host, after, openSocket } })
  const best = new Map<string, number>()
  let lostAt: number | undefined
  client.subscribe(({ state, scores }) => {
    if (state === "live") {
      if (lostAt !== undefined) gaps.push({ from: lostAt, to: performance.now() })
      lostAt = undefined
    } else if (state !== "connecting") lostAt ??= performance.now()
    for (const { email, score } of scores ?? []) {
      const before = best.get(email) ?? 0
      if (score < before) falls.push(`${email}: ${before} to ${score}`)
      best.set(email, score)
    }
  })
  return { client, diallingAt, gaps, falls, badFrames, older: () => older }
}

/** Points of all players on a client's board. */
export const points = ({ client }: Watched): number =>
  (client.view.scores ?? []).reduce((sum, { score }) => sum + score, 0)

/** How often each hop of a board's way was measured, as /metrics of a process tells. */
export const hopCounts = async (managementPort: number): Promise<ReadonlyMap<string, number>> => {
  const text = await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text()
  return new Map(
    Array.from(text.matchAll(/^board_freshness_seconds_count\{hop="([\w-]+)"\} (\d+)$/gm), (line) => [
      line[1] ?? "",
      Number(line[2]),
    ]),
  )
}
