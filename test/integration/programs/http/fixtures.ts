import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { ApiProcess } from "../../../../src/programs/process/ApiProcess.ts"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as CognitoLocal from "../../../../src/services/Cognito/CognitoLocal.ts"
import { Listener } from "../../../../src/services/Listener/Listener.ts"
import { ProcessMetrics } from "../../../../src/services/ProcessMetrics.ts"
import { Receipts } from "../../../../src/services/Receipts.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import * as RedisMemory from "../../../../src/services/Redis/RedisMemory.ts"
import { SocketHub } from "../../../../src/services/SocketHub/SocketHub.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as SqlUpkeepPostgres from "../../../../src/services/Sql/SqlUpkeepPostgres.ts"
import * as SqsMemory from "../../../../src/services/Sqs/SqsMemory.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"
import {
  type Answer,
  openViewer,
  request,
  type RequestOptions,
  temporaryFolder,
  untilSignedIn,
} from "../../../support/fixtures.ts"

/** One PostgreSQL for all tests of a file; each API gets a database of its own. */
export class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/Engine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

/** The log lines of one API, as the operator gets them. */
export class Log extends Context.Service<Log, ReadonlyArray<string>>()("test/Log") {}

const captured = Layer.effectContext(
  Effect.sync(() => {
    const lines: Array<string> = []
    return Context.merge(
      Context.make(Log, lines),
      Context.make(
        Logger.CurrentLoggers,
        new Set([Logger.map(Logger.formatJson, (line) => void lines.push(line))]),
      ),
    )
  }),
)

export const PASSWORD = "correct horse battery"

/** `count` players who can sign in: player0@example.com and so on. */
export const players = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ email: `player${index}@example.com`, password: PASSWORD }))

const database = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* (yield* Engine).freshDatabase
    return Layer.mergeAll(
      SqlPostgres.layerFrom(url),
      SqlUpkeepPostgres.layerFrom(url),
      PgClient.layer({ url, maxConnections: 2 }),
    )
  }),
)

/** Players in the API's own database, and their key in a folder of the test. */
const localPlayers = (count: number) =>
  Layer.unwrap(
    Effect.map(temporaryFolder, (dataDir) => CognitoLocal.layer({ dataDir, users: players(count) })),
  )

/** Services whose operations the test can replace. */
type Replaceable = Sql | Redis | Cognito

/** PostgreSQL of which single operations are the test's. */
export const sqlWith = (change: (real: Sql["Service"]) => Partial<Sql["Service"]>) =>
  Layer.effect(
    Sql,
    Effect.map(Sql, (real) => Sql.of({ ...real, ...change(real) })),
  )

/** An identity provider of which single operations are the test's. */
export const cognitoWith = (change: Partial<Cognito["Service"]>) =>
  Layer.effect(
    Cognito,
    Effect.map(Cognito, (real) => Cognito.of({ ...real, ...change })),
  )

/** A Redis of which single operations are the test's. */
export const redisWith = (change: Partial<Redis["Service"]>) =>
  Layer.effect(
    Redis,
    Effect.map(Redis, (real) => Redis.of({ ...real, ...change })),
  )

export interface ApiOptions {
  readonly env?: Readonly<Record<string, string>>
  /** How many can sign in; 1 when left out. */
  readonly players?: number
  /** Put in front of the services they are made from. */
  readonly replacing?: Layer.Layer<never, never, Replaceable>
}

/** Tests that are not about limits meet none. */
const UNLIMITED = { INCREMENT_RATE_LIMIT: "0", LOGIN_RATE_LIMIT: "0" }

/** The whole API on a free port: real PostgreSQL, and a board and a queue in this process. */
export const api = (options: ApiOptions = {}) =>
  ApiProcess("127.0.0.1").pipe(
    Layer.provideMerge(options.replacing ?? Layer.empty),
    Layer.provideMerge(
      Layer.mergeAll(
        RedisMemory.layer,
        SqsMemory.layerWith({ wait: "50 millis" }),
        Receipts.layer,
        SocketHub.layer,
        Listener.layer,
        ProcessMetrics.layer,
        NodeHttpServer.layerHttpServices,
        localPlayers(options.players ?? 1),
      ),
    ),
    Layer.provideMerge(database),
    Layer.provide(
      ConfigProvider.layer(ConfigProvider.fromEnvRecord({ PORT: "0", ...UNLIMITED, ...options.env })),
    ),
    Layer.provideMerge(captured),
  )

/** Where the API under test is. */
export const origin = Effect.map(ApiServer, ({ host, port }) => `http://${host}:${port}`)

/** A problem document as this system writes it: these members and no other. */
const Problem = Schema.fromJsonString(
  Schema.Struct({
    type: Schema.String,
    title: Schema.NonEmptyString,
    status: Schema.Int,
    detail: Schema.optionalKey(Schema.String),
    errors: Schema.optionalKey(Schema.Unknown),
    dependency: Schema.optionalKey(Schema.String),
    retryAfterSeconds: Schema.optionalKey(Schema.Int),
  }),
)
const decodeProblem = Schema.decodeUnknownSync(Problem, { onExcessProperty: "error" })

/** What belongs in a log only: stacks, sources, drivers, statements. */
const INTERNAL =
  /^\s*at |\bat \S+ \(|node_modules|\.ts\b|\wError\b|Error:|ECONN|postgres|ioredis|insert into/m

/** What every answer keeps: an id, and for every error a problem document that gives nothing away. */
export const checkAnswer = (answer: Answer) => {
  assert.match(String(answer.headers["x-request-id"]), /^[A-Za-z0-9._-]{1,64}$/)
  if (answer.status < 400) return answer
  assert.notMatch(answer.body, INTERNAL, answer.body)
  assert.match(String(answer.headers["content-type"]), /^application\/problem\+json/)
  if (answer.body !== "") assert.strictEqual(decodeProblem(answer.body).status, answer.status)
  return answer
}

/** Sends a request to the API under test and checks what every answer keeps. */
export const ask = (path: string, options?: RequestOptions) =>
  Effect.flatMap(origin, (url) => Effect.map(request(`${url}${path}`, options), checkAnswer))

export const postJson = (body: unknown, headers: Readonly<Record<string, string>> = {}): RequestOptions => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
})

const Tokens = Schema.fromJsonString(
  Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String }),
)

/** Signs a player in: both tokens. */
const session = (index: number) =>
  Effect.map(untilSignedIn(ask("/users/auth/login", postJson(players(index + 1)[index]))), ({ body }) =>
    Schema.decodeUnknownSync(Tokens)(body),
  )

/** Signs the first player in: both tokens. */
export const login = session(0)

/** The access token of a player. */
export const signIn = (index = 0) => Effect.map(session(index), ({ accessToken }) => accessToken)

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Raises the score of the token's player by one. */
export const increment = (token: string, options: RequestOptions = {}) =>
  ask("/scores/increment", {
    ...options,
    method: "POST",
    headers: { ...options.headers, ...bearer(token) },
  })

export const refresh = (refreshToken: string) => ask("/users/auth/refresh", postJson({ refreshToken }))

const Renewed = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))

/** The access token of a refresh that gives nothing else. */
export const renew = (refreshToken: string) =>
  Effect.map(
    refresh(refreshToken),
    ({ body }) => Schema.decodeUnknownSync(Renewed, { onExcessProperty: "error" })(body).accessToken,
  )

export const logout = (accessToken: string, refreshToken: string) =>
  ask("/users/auth/logout", postJson({ refreshToken }, bearer(accessToken)))

/** The sum of all scores in the database of the API. */
export const score = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly score: number }>`
    select coalesce(sum(score), 0)::int as score from scores`
  return row?.score ?? 0
})

export const SOCKET_PATH = "/scores/websocket"

/** The bytes of a WebSocket handshake, with more header lines. */
export const upgradeRequest = (path: string, extra: ReadonlyArray<string> = []) =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...extra,
    "\r\n",
  ].join("\r\n")

/** A viewer of the board. */
export const view = Effect.flatMap(origin, (url) => openViewer(`${url}${SOCKET_PATH}`))
