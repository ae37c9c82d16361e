import { open, readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { EmbeddedPostgresFailure } from "../../src/services/EmbeddedPostgres/EmbeddedPostgresFailure.ts"
import {
  type Command,
  reasonIn,
  startServer,
} from "../../src/services/EmbeddedPostgres/EmbeddedPostgresProcess.ts"
import { ServicesFailure } from "./Failure.ts"

/** How long a service may take from its start to its first answer: Cognito's emulator takes two seconds of a quick core. */
const START_LIMIT = "60 seconds"

/** A running service. */
export interface Part {
  readonly name: string
  /** What the API and the worker need to find it. */
  readonly settings: Readonly<Record<string, string>>
  /** Waits for its end. */
  readonly ended: Effect.Effect<void>
  /** The file with its output. */
  readonly log: string
}

/** Whether an address answers 200. */
export const answers = (url: string): Effect.Effect<boolean> =>
  Effect.promise((signal) =>
    fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) }).then(
      async (response) => {
        await response.body?.cancel()
        return response.ok
      },
      () => false,
    ),
  )

/** Starts a service and waits until it answers; it ends with the scope. Fails with the reason in its output. */
export const startPart = Effect.fnUntraced(function* (options: {
  readonly name: string
  readonly command: Command
  readonly log: string
  readonly isReady: Effect.Effect<boolean>
}) {
  const { name, log } = options
  const failed = (problem: string) =>
    Effect.promise(() => readFile(log, "utf8").catch(() => "")).pipe(
      Effect.flatMap((output) =>
        Effect.fail(
          new ServicesFailure({ message: `${name} ${problem}: ${reasonIn(output) ?? `see ${log}`}` }),
        ),
      ),
    )
  const output = Effect.tryPromise({
    try: () => open(log, "w", 0o600),
    catch: (cause) => new EmbeddedPostgresFailure({ message: `${log} cannot be written: ${String(cause)}` }),
  })
  const { ended } = yield* startServer(name, options.command, output)
  yield* options.isReady.pipe(
    Effect.repeat({ until: (ready) => ready, schedule: Schedule.spaced("50 millis") }),
    Effect.raceFirst(Effect.andThen(ended, failed("does not start"))),
    Effect.timeoutOrElse({ duration: START_LIMIT, orElse: () => failed("is not ready in time") }),
  )
  return { ended, log }
})
