import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import { SqlSchema } from "../../services/Sql/SqlSchema.ts"
import { refuse } from "./AdminRefused.ts"

const status = Command.make("status", {}, () =>
  Effect.gen(function* () {
    const states = yield* (yield* SqlSchema).status
    for (const { label, appliedAt, known } of states) {
      yield* Console.log(`${label}  ${appliedAt ?? "missing"}${known ? "" : "  by a newer release"}`)
    }
    const missing = states.filter(({ appliedAt }) => appliedAt === undefined).length
    if (missing > 0) return yield* refuse(`Migrations missing: ${missing}. Apply them with \`migrate\``)
  }),
).pipe(
  Command.withDescription("List the migrations and when each was applied; exit with 1 if one is missing"),
)

/** `admin migrate` and `admin migrate status` */
export const migrate = Command.make("migrate", {}, () =>
  Effect.gen(function* () {
    const applied = yield* (yield* SqlSchema).migrate
    yield* Console.log(applied.length === 0 ? "nothing to apply" : `applied: ${applied.join(", ")}`)
    // What it waits for is part of the answer here, on standard error.
  }).pipe(
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    Effect.provideService(References.LogToStderr, true),
  ),
).pipe(
  Command.withDescription("Apply the missing migrations, while the board runs"),
  Command.withSubcommands([status]),
)
