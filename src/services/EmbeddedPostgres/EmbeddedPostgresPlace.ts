import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"

/** Where `npm start` stores scores, accounts and keys, in the folder that it is started in. */
export const LOCAL_DATA = ".data"

/** The data directory of its database. */
export const LOCAL_DATABASE = `${LOCAL_DATA}/postgres`

/** The role that owns every object in a cluster. */
export const POSTGRES_USER = "scoreboard"

/** The database that is created with a cluster. */
export const POSTGRES_DATABASE = "scoreboard"

/** The only address that an embedded server listens on. */
export const POSTGRES_HOST = "127.0.0.1"

/** Where a running server is, and who may connect. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** The absolute path of a file with the password, which only its owner may read. */
  readonly passwordFile: string
}

/** Where the server of a data directory is when it listens on `port`. */
export const placeOf = (dataDir: string, port: number): Place => ({
  host: POSTGRES_HOST,
  port,
  user: POSTGRES_USER,
  database: POSTGRES_DATABASE,
  passwordFile: join(resolve(dataDir), "password"),
})

/** Whether there is a process of this id, whoever owns it. */
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM"
  }
}

/** What a server says of itself in the `postmaster.pid` of its cluster: its process, its port, whether it accepts connections. */
export const readStatus = (cluster: string) =>
  Effect.promise(() => readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => "")).pipe(
    Effect.map((text) => {
      const lines = text.split("\n")
      return { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.trim() === "ready" }
    }),
  )

/** The server that runs on a data directory now, such as that of `npm start`; undefined if there is none. */
export const findRunning = (dataDir: string): Effect.Effect<Place | undefined> =>
  Effect.map(readStatus(join(dataDir, "cluster")), ({ pid, port, ready }) =>
    ready && port > 0 && isAlive(pid) ? placeOf(dataDir, port) : undefined,
  )
