import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import { generate, ranks } from "./programs/RankCommands.ts"
import { check, explain, teardown } from "./programs/Startup.ts"
import { Sql } from "./services/Sql.ts"
import { SqlLevels } from "./services/SqlLevels.ts"

/** Opened only by a command that runs: help needs no database. */
const Services = Layer.unwrap(Effect.as(check([Sql.config]), SqlLevels.layer))

Command.make("admin").pipe(
  Command.withDescription("The operator's commands; DATABASE_URL names the database"),
  Command.withSubcommands([ranks.pipe(Command.provide(Services)), generate.pipe(Command.provide(Services))]),
  Command.run({ version: "1" }),
  // What is wrong with the arguments was shown beside the help.
  Effect.tapError((error) => (CliError.isCliError(error) ? Effect.void : Console.error(explain(error)))),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown }),
)
