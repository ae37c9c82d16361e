import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { adminCommand } from "./programs/admin/AdminCommands.ts"
import { adminTeardown, runAdmin } from "./programs/admin/AdminRun.ts"
import { isLocal, LocalDatabase } from "./programs/admin/LocalDatabase.ts"
import { check, explain } from "./programs/process/Startup.ts"
import * as ImportFileNode from "./services/ImportFile/ImportFileNode.ts"
import { operatorName } from "./services/OperatorName.ts"
import { productVersion } from "./services/ProductVersion.ts"
import { RedisBoard } from "./services/Redis/RedisBoard.ts"
import { redisConfig } from "./services/Redis/RedisUrl.ts"
import * as SqlDatabase from "./services/Sql/SqlDatabase.ts"
import * as SqlImportPostgres from "./services/Sql/SqlImportPostgres.ts"
import * as SqlInspectionPostgres from "./services/Sql/SqlInspectionPostgres.ts"
import * as SqlLevelsPostgres from "./services/Sql/SqlLevelsPostgres.ts"
import * as SqlModerationPostgres from "./services/Sql/SqlModerationPostgres.ts"
import * as SqlSchemaPostgres from "./services/Sql/SqlSchemaPostgres.ts"

/** Only a command that runs opens the database: help needs none. */
const onDatabase = <A, E>(layer: Layer.Layer<A, E>) =>
  Layer.unwrap(Effect.as(check([SqlDatabase.config]), layer)).pipe(Layer.provide(LocalDatabase))

/** The drivers of Redis and SQS are loaded only by the commands that need them. */
const Board = Layer.unwrap(
  Effect.gen(function* () {
    if (yield* isLocal) return RedisBoard.layerAbsent("`npm start` keeps its board in its own memory")
    yield* check([redisConfig])
    return (yield* Effect.promise(() => import("./services/Redis/RedisBoardServer.ts"))).layer
  }),
)

const DeadLetters = Layer.unwrap(
  Effect.gen(function* () {
    const queue = yield* Effect.promise(() => import("./services/Sqs/SqsDeadLettersQueue.ts"))
    yield* check([queue.config])
    return queue.layer
  }),
)

adminCommand(operatorName(), {
  moderation: onDatabase(SqlModerationPostgres.layer),
  levels: onDatabase(SqlLevelsPostgres.layer),
  imports: Layer.merge(onDatabase(SqlImportPostgres.layer), ImportFileNode.layer),
  schema: onDatabase(SqlSchemaPostgres.layer),
  inspection: onDatabase(SqlInspectionPostgres.layer),
  board: Board,
  deadLetters: DeadLetters,
}).pipe(
  runAdmin({ ...productVersion(), explain }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: adminTeardown }),
)
