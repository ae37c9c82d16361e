import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as DataDirectory from "./EmbeddedPostgresDirectory.ts"
import * as Programs from "./EmbeddedPostgresPrograms.ts"
import * as Server from "./EmbeddedPostgresServer.ts"

export { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"

/** Where and how to run the server. */
export interface EmbeddedPostgresOptions {
  /** Created if it is missing. Only one process at a time may use it. */
  readonly dataDir: string
  /** Default: a free port, a different one with every start. */
  readonly port?: number
  /** PostgreSQL settings by name. They override those of `EmbeddedPostgresServer.ts`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Where the server is, and who may connect. */
interface Place {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** The absolute path of a file with the password, which only its owner may read. */
  readonly passwordFile: string
}

/** A PostgreSQL server that belongs to this process: npm installs it, and its scope starts and stops it. */
export class EmbeddedPostgres extends Context.Service<
  EmbeddedPostgres,
  {
    /** The connection string of the database, with the password. Only this machine can connect. */
    readonly url: Redacted.Redacted
    /** The same in parts, with the file of the password. */
    readonly place: Place
    /** Waits for the end of the server, whoever ends it. */
    readonly ended: Effect.Effect<void>
  }
>()("scoreboard/services/EmbeddedPostgres") {
  /**
   * Creates the cluster on the first start, stops a server that a killed process left running, and returns when the
   * server accepts connections. Fails with one line that names the directory when another process uses it, when another
   * major version created it, or when PostgreSQL cannot run here. Closing the scope stops the server (fast shutdown
   * first, then by force) and waits until it has ended.
   */
  static readonly start = Effect.fn("EmbeddedPostgres.start")(function* (options: EmbeddedPostgresOptions) {
    const settings = options.settings ?? {}
    const directory = yield* DataDirectory.own(options.dataDir)
    const programs = yield* Programs.find(directory.path)
    yield* Server.stopLeftover(directory)
    const password = yield* DataDirectory.ensureCluster(directory, programs, {
      sync: settings["fsync"] !== "off",
    })
    const { port, ended } = yield* Server.startIn(directory, programs, { port: options.port, settings })
    const place: Place = {
      host: "127.0.0.1",
      port,
      user: DataDirectory.POSTGRES_USER,
      database: DataDirectory.POSTGRES_DATABASE,
      passwordFile: directory.password,
    }
    const url = `postgresql://${place.user}:${Redacted.value(password)}@${place.host}:${port}/${place.database}`
    return EmbeddedPostgres.of({ url: Redacted.make(url), place, ended })
  })

  /** The server as a layer. It stops after everything that is built on it. */
  static readonly layer = (options: EmbeddedPostgresOptions) =>
    Layer.effect(EmbeddedPostgres, EmbeddedPostgres.start(options))
}
