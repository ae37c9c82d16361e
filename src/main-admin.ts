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
import { generate, ranks } from "./programs/admin/RankCommands.ts"
import { check, explain, teardown } from "./programs/process/Startup.ts"
import * as SqlPostgres from "./services/Sql/SqlPostgres.ts"
import { SqlLevels } from "./services/Sql/SqlLevels.ts"

/** Opened only by a command that runs: help needs no database. */
const Players = Layer.unwrap(Effect.as(check([SqlPostgres.config]), SqlPostgres.layer))
const Levels = Layer.unwrap(Effect.as(check([SqlPostgres.config]), SqlLevels.layer))

const { hide, restore, correct, history } = moderation(userInfo().username)

Command.make("admin").pipe(
  Command.withDescription("The operator's commands; DATABASE_URL names the database"),
  Command.withSubcommands([
    hide.pipe(Command.provide(Players)),
    restore.pipe(Command.provide(Players)),
    correct.pipe(Command.provide(Players)),
    history.pipe(Command.provide(Players)),
    ranks.pipe(Command.provide(Levels)),
    generate.pipe(Command.provide(Levels)),
  ]),
  Command.run({ version: "1" }),
  // What is wrong with the arguments was shown beside the help.
  Effect.tapError((error) => (CliError.isCliError(error) ? Effect.void : Console.error(explain(error)))),
  // Standard output is the answer alone.
  Effect.provideService(References.MinimumLogLevel, "Error"),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown }),
)
