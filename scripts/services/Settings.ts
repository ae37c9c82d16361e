import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { ServicesFailure } from "./Failure.ts"
import { isLoopback, type Options } from "./Options.ts"
import type { Part } from "./Part.ts"

const HEAD = "# Written by npm run dev:services, for node --env-file"

/** The API and the worker listen on every interface by default. */
const LOOPBACK_ONLY = { HOST: "127.0.0.1" }

/** A path may contain what would end a value. */
const quoted = (value: string) => (/^[\w./:@%+-]*$/.test(value) ? value : `'${value}'`)

/** The settings of the parts as the lines of a `.env`. */
const format = ({ host }: Options, parts: ReadonlyArray<Part>) => {
  const settings = new Map<string, string>(
    [isLoopback(host) ? LOOPBACK_ONLY : {}, ...parts.map((part) => part.settings)].flatMap((some) =>
      Object.entries(some),
    ),
  )
  return `${[HEAD, ...Array.from(settings, ([name, value]) => `${name}=${quoted(value)}`)].join("\n")}\n`
}

const exists = (path: string) =>
  new ServicesFailure({
    message: `${path} exists and is not overwritten: remove it, or start without --write and compare`,
  })

/** Fails at once if the settings could not be written at the end. */
export const ensureWritable = ({ write }: Options) =>
  Effect.suspend(() => (write !== undefined && existsSync(write) ? Effect.fail(exists(write)) : Effect.void))

/** Gives the settings to whoever asked: on standard output, or in a new file that only its owner may read. */
export const tellSettings = (options: Options, parts: ReadonlyArray<Part>) => {
  const { write } = options
  const text = format(options, parts)
  return write === undefined
    ? Effect.sync(() => void process.stdout.write(text))
    : Effect.tryPromise({
        try: () => writeFile(write, text, { flag: "wx", mode: 0o600 }),
        catch: (cause) =>
          existsSync(write)
            ? exists(write)
            : new ServicesFailure({ message: `${write} cannot be written: ${String(cause)}` }),
      }).pipe(Effect.andThen(Console.error(`The settings are in ${write}`)))
}
