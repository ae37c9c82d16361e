import * as PgClient from "@effect/sql-pg/PgClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ApiProcess, apiSettings } from "./programs/process/ApiProcess.ts"
import { DEMO_USERS } from "./programs/process/DemoUsers.ts"
import { Greeting } from "./programs/process/Greeting.ts"
import { launch, teardown } from "./programs/process/Startup.ts"
import { WorkerPrograms } from "./programs/process/WorkerProcess.ts"
import * as CognitoLocal from "./services/Cognito/CognitoLocal.ts"
import { EmbeddedPostgres } from "./services/EmbeddedPostgres/EmbeddedPostgres.ts"
import { Listener } from "./services/Listener/Listener.ts"
import { LOCAL_DATA, LOCAL_POSTGRES } from "./services/LocalData.ts"
import { ProcessMetrics } from "./services/ProcessMetrics.ts"
import { outlastSignals } from "./services/ProcessSignals.ts"
import { Receipts } from "./services/Receipts.ts"
import * as RedisMemory from "./services/Redis/RedisMemory.ts"
import { SocketHub } from "./services/SocketHub/SocketHub.ts"
import * as SqlPostgres from "./services/Sql/SqlPostgres.ts"
import * as SqlUpkeepPostgres from "./services/Sql/SqlUpkeepPostgres.ts"
import * as SqsMemory from "./services/Sqs/SqsMemory.ts"
import { Telemetry, telemetryConfig } from "./services/Telemetry.ts"

/** A trial on a laptop is reachable only from the laptop itself. */
const HOST = "127.0.0.1"

const Database = Layer.unwrap(
  Effect.map(EmbeddedPostgres, ({ url }) =>
    Layer.mergeAll(
      SqlPostgres.layerFrom(url),
      SqlUpkeepPostgres.layerFrom(url),
      PgClient.layer({ url, maxConnections: 2 }),
    ),
  ),
).pipe(Layer.provide(EmbeddedPostgres.layer({ dataDir: LOCAL_POSTGRES })))

const Services = Layer.mergeAll(
  CognitoLocal.layer({ dataDir: LOCAL_DATA, users: DEMO_USERS }),
  RedisMemory.layer,
  SqsMemory.layer,
  Receipts.layer,
  SocketHub.layer,
  Listener.layer,
  ProcessMetrics.layer,
  NodeHttpServer.layerHttpServices,
).pipe(Layer.provideMerge(Database))

outlastSignals()
launch({
  app: Layer.merge(Greeting.pipe(Layer.provide(ApiProcess(HOST))), WorkerPrograms).pipe(
    Layer.provide(Services),
  ),
  telemetry: Telemetry,
  settings: [telemetryConfig, ...apiSettings(HOST), Receipts.config],
}).pipe(NodeRuntime.runMain({ disableErrorReporting: true, teardown }))
