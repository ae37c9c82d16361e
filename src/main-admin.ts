import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import { userInfo } from "node:os"
import { moderation } from "./programs/admin/ModerationCommands.ts"
import { migrate } from "./programs/admin/MigrateCommands.ts"
import { generate, ranks } from "./programs/admin/RankCommands.ts"
import { check, explain, teardown } from "./programs/process/Startup.ts"
import * as SqlDatabase from "./services/Sql/SqlDatabase.ts"
import * as SqlLevelsPostgres from "./services/Sql/SqlLevelsPostgres.ts"
import * as SqlModerationPostgres from "./services/Sql/SqlModerationPostgres.ts"
import * as SqlSchemaPostgres from "./services/Sql/SqlSchemaPostgres.ts"

/** Only a command that runs opens the database: help needs none. */
const Moderation = Layer.unwrap(Effect.as(check([SqlDatabase.config]), SqlModerationPostgres.layer))
const Schema = Layer.unwrap(Effect.as(check([SqlDatabase.config]), SqlSchemaPostgres.layer))
const Levels = Layer.unwrap(Effect.as(check([SqlDatabase.config]), SqlLevelsPostgres.layer))

const { hide, restore, correct, sessions, history } = moderation(userInfo().username)

Command.make("admin").pipe(
  Command.withDescription("Commands for operators; DATABASE_URL names the database"),
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
  Command.run({ version: "1" }),
  // The command line itself shows what is wrong with the arguments, beside the help.
  Effect.tapError((error) => (CliError.isCliError(error) ? Effect.void : Console.error(explain(error)))),
  // Standard output carries only the answer.
  Effect.provideService(References.MinimumLogLevel, "Error"),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown }),
)
