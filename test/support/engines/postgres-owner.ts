import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { EmbeddedPostgres } from "../../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"

/**
 * A process that starts the embedded server in the folder named by its argument, as `npm start` does, prints
 * the connection string and goes on until it is killed: a Ctrl-C does not end it.
 */
process.on("SIGINT", () => {})

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { url } = yield* EmbeddedPostgres.start({ dataDir: process.argv[2] ?? "" })
      process.stdout.write(`url=${Redacted.value(url)}\n`)
      return yield* Effect.never
    }),
  ),
)
