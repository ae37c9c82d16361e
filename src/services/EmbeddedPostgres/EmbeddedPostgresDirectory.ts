import { randomBytes } from "node:crypto"
import {
  chmod,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { hasCode, run } from "./EmbeddedPostgresProcess.ts"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"
import type { PostgresPrograms } from "./EmbeddedPostgresPrograms.ts"

/** The role that owns every object in the cluster. */
export const POSTGRES_USER = "scoreboard"

/** The database that is created with the cluster. */
export const POSTGRES_DATABASE = "scoreboard"

/** initdb takes half a second on an idle machine; the limit is for a slow disk. */
const INITIALISE_TIME_LIMIT = "60 seconds"

/** While a cluster is created, its folder has this suffix and six random characters. */
const UNFINISHED = ".new-"

/** The paths in a data directory. `cluster` is PostgreSQL's own folder (PGDATA); it is complete or absent. */
export interface DataDirectory {
  readonly path: string
  readonly cluster: string
  readonly password: string
  readonly log: string
}

/** Runs a file operation; its failure names the directory. */
export const onFiles = <A>(path: string, operation: () => Promise<A>) =>
  Effect.tryPromise({
    try: operation,
    catch: (cause) =>
      new EmbeddedPostgresFailure({
        message: `The database directory ${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      }),
  })

/**
 * Creates the directory if it is missing, and locks it against every other process (and other parts of this one) until
 * the scope closes. SQLite holds the lock, on an empty file. The kernel releases it when the process ends, however that
 * happens, so there is no stale lock.
 */
export const own = Effect.fnUntraced(function* (path: string) {
  const real = yield* onFiles(path, async () => {
    await mkdir(path, { recursive: true })
    const [user, owner] = [process.getuid?.(), (await stat(path)).uid]
    if (user !== 0 && user !== owner) throw new Error(`it belongs to another user (id ${owner})`)
    // The server of root runs as another user, who must be able to enter `cluster` and read nothing else.
    await chmod(path, user === 0 ? 0o711 : 0o700)
    await writeFile(join(path, "lock"), "", { flag: "a", mode: 0o600 })
    return realpath(path)
  })
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        const lock = new DatabaseSync(join(real, "lock"))
        try {
          lock.exec("BEGIN EXCLUSIVE")
          return lock
        } catch (cause) {
          lock.close()
          throw cause
        }
      },
      catch: (cause) =>
        new EmbeddedPostgresFailure({
          message: isBusy(cause)
            ? `The database directory ${path} is in use by another \`npm start\` or \`npm run dev:services\`: stop that one first`
            : `The database directory ${path} cannot be locked: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        }),
    }),
    (lock) => Effect.sync(() => lock.close()),
  )
  const directory: DataDirectory = {
    path,
    cluster: join(real, "cluster"),
    password: join(real, "password"),
    log: join(real, "server.log"),
  }
  return directory
})

/** SQLITE_BUSY is 5: https://sqlite.org/rescode.html#busy */
const isBusy = (cause: unknown) => cause instanceof Error && "errcode" in cause && cause.errcode === 5

/**
 * Creates the cluster and its database if there is none, and gives the password of `POSTGRES_USER`. A cluster is created
 * in another folder and renamed when it is complete, so an interrupted start never leaves a broken one. `sync: false`
 * does not wait for the disk.
 */
export const ensureCluster = Effect.fnUntraced(function* (
  directory: DataDirectory,
  programs: PostgresPrograms,
  options: { readonly sync: boolean },
) {
  const { cluster, path } = directory
  const version = yield* onFiles(path, () => readFile(join(cluster, "PG_VERSION"), "utf8").catch(ifMissing))
  if (version === undefined) yield* createCluster(directory, programs, options)
  else if (version.trim() !== programs.majorVersion) {
    return yield* new EmbeddedPostgresFailure({
      message: `The database directory ${path} was made by PostgreSQL ${version.trim()}, this is ${programs.majorVersion}: move it away to begin an empty board, or bring its data over with pg_dump`,
    })
  }
  yield* onFiles(path, () => giveTo(programs.owner, cluster))
  const password = yield* onFiles(path, () => readFile(directory.password, "utf8"))
  return Redacted.make(password.trim())
})

const createCluster = Effect.fnUntraced(function* (
  directory: DataDirectory,
  programs: PostgresPrograms,
  options: { readonly sync: boolean },
) {
  const { path } = directory
  yield* Effect.logInfo(`Creating the database in ${path}`)
  const unfinished = yield* onFiles(path, async () => {
    await removeUnfinished(directory)
    // A new name each time: an initdb whose parent was killed may still write into its own folder.
    const folder = await mkdtemp(`${directory.cluster}${UNFINISHED}`)
    const password = randomBytes(24).toString("hex")
    await mkdir(join(folder, "data"), { mode: 0o700 })
    await writeFile(join(folder, "password"), password, { mode: 0o600 })
    await writeFile(directory.password, password, { mode: 0o600 })
    await giveTo(programs.owner, folder)
    return folder
  })
  const data = join(unfinished, "data")
  yield* run(
    programs.command("initdb", [
      `--pgdata=${data}`,
      `--username=${POSTGRES_USER}`,
      `--pwfile=${join(unfinished, "password")}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      ...(options.sync ? [] : ["--no-sync"]),
    ]),
    INITIALISE_TIME_LIMIT,
  )
  yield* run(
    programs.command("postgres", [
      "--single",
      "-D",
      data,
      "-c",
      "exit_on_error=on",
      "-c",
      `fsync=${options.sync ? "on" : "off"}`,
      "postgres",
    ]),
    INITIALISE_TIME_LIMIT,
    `CREATE DATABASE ${POSTGRES_DATABASE}\n`,
  )
  yield* onFiles(path, async () => {
    await rename(data, directory.cluster)
    await removeUnfinished(directory)
  })
})

const removeUnfinished = async ({ cluster }: DataDirectory) => {
  const names = await readdir(dirname(cluster))
  const unfinished = names.filter((name) => name.startsWith(`${basename(cluster)}${UNFINISHED}`))
  await Promise.all(
    unfinished.map((name) =>
      rm(join(dirname(cluster), name), { recursive: true, force: true, maxRetries: 5 }),
    ),
  )
}

/** Gives a folder and its content to the user that the server runs as, unless that user owns it already. */
const giveTo = async (owner: PostgresPrograms["owner"], folder: string) => {
  if (owner === undefined || (await stat(folder)).uid === owner.uid) return
  const names = await readdir(folder, { recursive: true })
  await Promise.all(names.map((name) => lchown(join(folder, name), owner.uid, owner.gid)))
  // The folder itself comes last: after an interruption the next start does everything again.
  await lchown(folder, owner.uid, owner.gid)
}

const ifMissing = (cause: unknown) => {
  if (hasCode(cause, "ENOENT")) return
  throw cause
}
