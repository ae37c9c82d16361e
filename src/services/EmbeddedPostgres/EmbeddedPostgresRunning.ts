import { readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { POSTGRES_DATABASE, POSTGRES_USER } from "./EmbeddedPostgresDirectory.ts"
import { hasCode } from "./EmbeddedPostgresProcess.ts"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"

/** A server that another process runs in a data directory of its own. */
interface RunningPostgres {
  /** The data directory, absolute. */
  readonly path: string
  readonly port: number
  readonly url: Redacted.Redacted
}

/** Whether there is a process with this id; one of another user counts. */
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return hasCode(cause, "EPERM")
  }
}

/**
 * The server that runs in a data directory, and how to sign in to it; undefined if none does. Reads what the server and
 * `EmbeddedPostgres` wrote there, and changes nothing. Fails when the directory belongs to somebody else.
 */
export const findRunning = Effect.fnUntraced(function* (dataDir: string) {
  const path = resolve(dataDir)
  const files = yield* Effect.tryPromise({
    try: () =>
      Promise.all([
        readFile(join(path, "cluster", "postmaster.pid"), "utf8"),
        readFile(join(path, "password"), "utf8"),
      ]),
    catch: (cause) =>
      new EmbeddedPostgresFailure({
        message: `The database of \`npm start\` in ${path} belongs to another user: run the command as that user, or set DATABASE_URL`,
        cause,
      }),
  }).pipe(
    Effect.catchIf(
      ({ cause }) => hasCode(cause, "ENOENT") || hasCode(cause, "ENOTDIR"),
      () => Effect.undefined,
    ),
  )
  if (files === undefined) return undefined
  const [status, password] = files
  // The process id is in line 1, the port in line 4.
  const [pid, , , port] = status.split("\n").map(Number)
  if (pid === undefined || port === undefined || !(pid > 0) || !(port > 0) || !isAlive(pid)) return undefined
  const running: RunningPostgres = {
    path,
    port,
    url: Redacted.make(
      `postgresql://${POSTGRES_USER}:${password.trim()}@127.0.0.1:${port}/${POSTGRES_DATABASE}`,
    ),
  }
  return running
})
