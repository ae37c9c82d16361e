import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { launch, teardown } from "./programs/Startup.ts"
import { WorkerProcess, workerSettings } from "./programs/WorkerProcess.ts"
import { Listener } from "./services/Listener/Listener.ts"
import { ProcessMetrics } from "./services/ProcessMetrics.ts"
import { Redis } from "./services/Redis/Redis.ts"
import { Sql } from "./services/Sql/Sql.ts"
import { Sqs } from "./services/Sqs/Sqs.ts"
import { Telemetry, telemetryConfig } from "./services/Telemetry.ts"

/** In a container the management port is reached from outside. */
const HOST = "0.0.0.0"

const Services = Layer.mergeAll(Sql.layer, Redis.layer, Sqs.layer, Listener.layer, ProcessMetrics.layer)

launch({
  app: WorkerProcess(HOST).pipe(Layer.provide(Services)),
  telemetry: Telemetry,
  settings: [telemetryConfig, ...workerSettings(HOST), Sql.config, Redis.config, Sqs.config],
}).pipe(NodeRuntime.runMain({ disableErrorReporting: true, teardown }))
