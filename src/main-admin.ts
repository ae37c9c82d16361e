import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { adminTeardown, runAdmin } from "./programs/admin/AdminRun.ts"
import { LocalDatabase } from "./programs/admin/LocalDatabase.ts"
import { moderation } from "./programs/admin/ModerationCommands.ts"
import { migrate } from "./programs/admin/MigrateCommands.ts"
import { generate, ranks } from "./programs/admin/RankCommands.ts"
import { check, explain } from "./programs/process/Startup.ts"
import { operatorName } from "./services/OperatorName.ts"
import { productVersion } from "./services/ProductVersion.ts"
import * as SqlDatabase from "./services/Sql/SqlDatabase.ts"
import * as SqlLevelsPostgres from "./services/Sql/SqlLevelsPostgres.ts"
import * as SqlModerationPostgres from "./services/Sql/SqlModerationPostgres.ts"
import * as SqlSchemaPostgres from "./services/Sql/SqlSchemaPostgres.ts"

/** Only a command that runs opens the database: help needs none. */
const onDatabase = <A, E>(layer: Layer.Layer<A, E>) =>
  Layer.unwrap(Effect.as(check([SqlDatabase.config]), layer)).pipe(Layer.provide(LocalDatabase))

const Moderation = onDatabase(SqlModerationPostgres.layer)
const Schema = onDatabase(SqlSchemaPostgres.layer)
const Levels = onDatabase(SqlLevelsPostgres.layer)

const { hide, restore, correct, sessions, history } = moderation(operatorName())

Command.make("admin").pipe(
  Command.withDescription(
    "Commands for operators. DATABASE_URL names the database; without it, that of the `npm start` in this folder is used",
  ),
  Command.withSubcommands([
    hide.pipe(Command.provide(Moderation)),
    restore.pipe(Command.provide(Moderation)),
    correct.pipe(Command.provide(Moderation)),
    sessions.pipe(Command.provide(Moderation)),
    history.pipe(Command.provide(Moderation)),
    ranks.pipe(Command.provide(Levels)),
    generate.pipe(Command.provide(Levels)),
    migrate.pipe(Command.provide(Schema)),
  ]),
  runAdmin({ ...productVersion(), explain }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown: adminTeardown }),
)
