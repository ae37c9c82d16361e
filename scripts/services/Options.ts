import { parseArgs } from "node:util"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import { ServicesFailure } from "./Failure.ts"

/** What can run, and the port of each unless another is asked for: a one before the port that everybody knows. */
export const PORTS = {
  postgres: 15_432,
  redis: 16_379,
  sqs: 19_324,
  cognito: 19_229,
  health: 18_080,
} as const

export type Service = Exclude<keyof typeof PORTS, "health">

export const SERVICES: ReadonlyArray<Service> = ["postgres", "redis", "sqs", "cognito"]

/** The emulators. They may listen on another address than loopback; PostgreSQL and Redis refuse that. */
const EMULATORS: ReadonlyArray<Service> = ["sqs", "cognito"]

/** Whether an address is this machine's alone. */
export const isLoopback = (host: string) => ["127.0.0.1", "localhost", "::1"].includes(host)

export const HELP = `Usage: npm run dev:services -- [options]

Runs what the API and the worker need, on this machine alone, until Ctrl-C. Prints the settings of both on standard output,
and everything else on standard error.

  --only <names>         of ${SERVICES.join(", ")}, separated by commas; all unless given
  --write <file>         writes the settings to a new file, such as .env, instead
  --data <folder>        where the data is kept (.data/services)
${Object.entries(PORTS)
  .map(([name, port]) => `  ${`--${name}-port <port>`.padEnd(22)} (${port})`)
  .join("\n")}
  --host <address>       what sqs and cognito listen on (127.0.0.1); 0.0.0.0 in a container, with --only
  --public-host <name>   the host in the printed settings (that of --host, or 127.0.0.1)

GET http://127.0.0.1:${PORTS.health}/ answers 200 when everything runs, else 503.`

export interface Options {
  readonly services: ReadonlyArray<Service>
  readonly ports: Readonly<Record<keyof typeof PORTS, number>>
  readonly host: string
  readonly publicHost: string
  /** Absolute. */
  readonly data: string
  /** The file for the settings; undefined = standard output. */
  readonly write: string | undefined
}

const text = { type: "string" } as const
const parse = (args: ReadonlyArray<string>) =>
  parseArgs({
    args: [...args],
    options: {
      only: text,
      write: text,
      data: text,
      host: text,
      "public-host": text,
      "postgres-port": text,
      "redis-port": text,
      "sqs-port": text,
      "cognito-port": text,
      "health-port": text,
      help: { type: "boolean" },
    },
  }).values

const isService = (name: string): name is Service => SERVICES.some((service) => service === name)

const wrong = (problem: string) => new Error(`${problem}; --help shows the options`)

const portOf = (name: string, given: string | undefined, usual: number) => {
  const port = given === undefined ? usual : Number(given)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw wrong(`--${name}-port has to be a port`)
}

const read = (args: ReadonlyArray<string>): Options | "help" => {
  const values = parse(args)
  if (values.help === true) return "help"
  const names = values.only?.split(",").map((name) => name.trim()) ?? SERVICES
  const services = names.filter(isService)
  if (services.length < names.length) throw wrong(`--only takes ${SERVICES.join(", ")}`)
  const host = values.host ?? "127.0.0.1"
  if (!isLoopback(host) && services.some((name) => !EMULATORS.includes(name))) {
    throw wrong(`--host ${host} is for the emulators alone: add --only ${EMULATORS.join(",")}`)
  }
  return {
    services,
    ports: {
      postgres: portOf("postgres", values["postgres-port"], PORTS.postgres),
      redis: portOf("redis", values["redis-port"], PORTS.redis),
      sqs: portOf("sqs", values["sqs-port"], PORTS.sqs),
      cognito: portOf("cognito", values["cognito-port"], PORTS.cognito),
      health: portOf("health", values["health-port"], PORTS.health),
    },
    host,
    publicHost: values["public-host"] ?? (/^(?:0\.0\.0\.0|::)$/.test(host) ? "127.0.0.1" : host),
    data: resolve(values.data ?? ".data/services"),
    write: values.write,
  }
}

/** Reads the command line. Fails with what is wrong with it. */
export const readOptions = (args: ReadonlyArray<string>) =>
  Effect.try({
    try: () => read(args),
    catch: (cause) =>
      new ServicesFailure({ message: cause instanceof Error ? cause.message : String(cause) }),
  })
