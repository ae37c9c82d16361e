import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { ApiProcess, apiSettings } from "./programs/process/ApiProcess.ts"
import { MigrationHealth } from "./programs/process/MigrationHealth.ts"
import { launch, teardown } from "./programs/process/Startup.ts"
import * as CognitoUserPool from "./services/Cognito/CognitoUserPool.ts"
import { Listener } from "./services/Listener/Listener.ts"
import { ProcessMetrics } from "./services/ProcessMetrics.ts"
import { Receipts } from "./services/Receipts.ts"
import * as RedisServer from "./services/Redis/RedisServer.ts"
import { SocketHub } from "./services/SocketHub/SocketHub.ts"
import * as SqlDatabase from "./services/Sql/SqlDatabase.ts"
import * as SqlPostgres from "./services/Sql/SqlPostgres.ts"
import * as SqsQueue from "./services/Sqs/SqsQueue.ts"
import { Telemetry, telemetryConfig } from "./services/Telemetry.ts"

/** Clients reach the API from outside its container. */
const HOST = "0.0.0.0"

const Services = Layer.mergeAll(
  SqlPostgres.layer,
  RedisServer.layer,
  SqsQueue.layer,
  CognitoUserPool.layer,
  Receipts.layer,
  SocketHub.layer,
  Listener.layer,
  ProcessMetrics.layer,
  NodeHttpServer.layerHttpServices,
).pipe(Layer.provide(MigrationHealth(HOST)), Layer.provide([Listener.layer, ProcessMetrics.layer]))

launch({
  app: ApiProcess(HOST).pipe(Layer.provide(Services)),
  telemetry: Telemetry,
  settings: [
    telemetryConfig,
    ...apiSettings(HOST),
    SqlDatabase.config,
    SqlDatabase.migrationsConfig,
    RedisServer.config,
    SqsQueue.config,
    CognitoUserPool.config,
    Receipts.config,
  ],
}).pipe(NodeRuntime.runMain({ disableErrorReporting: true, teardown }))
