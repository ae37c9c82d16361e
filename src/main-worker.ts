import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { MigrationHealth } from "./programs/process/MigrationHealth.ts"
import { launch, teardown } from "./programs/process/Startup.ts"
import { WorkerProcess, workerSettings } from "./programs/process/WorkerProcess.ts"
import { Listener } from "./services/Listener/Listener.ts"
import { ProcessMetrics } from "./services/ProcessMetrics.ts"
import * as RedisServer from "./services/Redis/RedisServer.ts"
import * as SqlDatabase from "./services/Sql/SqlDatabase.ts"
import * as SqlPostgres from "./services/Sql/SqlPostgres.ts"
import * as SqlUpkeepPostgres from "./services/Sql/SqlUpkeepPostgres.ts"
import * as SqsQueue from "./services/Sqs/SqsQueue.ts"
import { Telemetry, telemetryConfig } from "./services/Telemetry.ts"

/** Operators reach the management port from outside its container. */
const HOST = "0.0.0.0"

const Services = Layer.mergeAll(
  SqlPostgres.layer,
  SqlUpkeepPostgres.layer,
  RedisServer.layer,
  SqsQueue.layer,
  Listener.layer,
  ProcessMetrics.layer,
).pipe(Layer.provide(MigrationHealth(HOST)), Layer.provide([Listener.layer, ProcessMetrics.layer]))

launch({
  app: WorkerProcess(HOST).pipe(Layer.provide(Services)),
  telemetry: Telemetry,
  settings: [
    telemetryConfig,
    ...workerSettings(HOST),
    SqlDatabase.config,
    SqlDatabase.migrationsConfig,
    RedisServer.config,
    SqsQueue.config,
  ],
}).pipe(NodeRuntime.runMain({ disableErrorReporting: true, teardown }))
