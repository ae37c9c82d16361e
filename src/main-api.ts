import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { Api, apiSettings } from "./programs/Api.ts"
import { launch, teardown } from "./programs/Startup.ts"
import { Cognito } from "./services/Cognito/Cognito.ts"
import { Listener } from "./services/Listener/Listener.ts"
import { ProcessMetrics } from "./services/ProcessMetrics.ts"
import { Receipts } from "./services/Receipts.ts"
import { Redis } from "./services/Redis/Redis.ts"
import { SocketHub } from "./services/SocketHub/SocketHub.ts"
import { Sql } from "./services/Sql/Sql.ts"
import { Sqs } from "./services/Sqs/Sqs.ts"
import { Telemetry, telemetryConfig } from "./services/Telemetry.ts"

/** In a container the API is reached from outside. */
const HOST = "0.0.0.0"

const Services = Layer.mergeAll(
  Sql.layer,
  Redis.layer,
  Sqs.layer,
  Cognito.layer,
  Receipts.layer,
  SocketHub.layer,
  Listener.layer,
  ProcessMetrics.layer,
  NodeHttpServer.layerHttpServices,
)

launch({
  app: Api(HOST).pipe(Layer.provide(Services)),
  telemetry: Telemetry,
  settings: [
    telemetryConfig,
    ...apiSettings(HOST),
    Sql.config,
    Redis.config,
    Sqs.config,
    Cognito.config,
    Receipts.config,
  ],
}).pipe(NodeRuntime.runMain({ disableErrorReporting: true, teardown }))
