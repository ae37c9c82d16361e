import { readFile } from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { SqlError } from "effect/sql/SqlError"
import { outageLog } from "../../foundation/OutageLog.ts"

/** A file with the password of the database's user, which somebody replaces from time to time. */
export interface PasswordFile {
  /**
   * The password for one connection: what is in the file now, without the end of its line. While the file cannot be read,
   * or is empty, what was in it last.
   */
  readonly read: Effect.Effect<Redacted.Redacted>
}

/** One line: the variable and the reason. */
class PasswordUnreadable extends Data.TaggedError("PasswordUnreadable")<{ readonly message: string }> {}

/** Reads the file as it is now. Fails with one line that names the variable and the reason, and not the content. */
const readPassword = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      const text = (await readFile(path, "utf8")).replace(/\r?\n$/, "")
      if (text === "") throw new Error(`it is empty: ${path}`)
      return Redacted.make(text)
    },
    catch: (cause) =>
      new PasswordUnreadable({
        message: `DATABASE_PASSWORD_FILE cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      }),
  })

/** Reads the file once, so that a start without it fails. */
export const openPasswordFile = Effect.fnUntraced(function* (path: string) {
  let last = yield* readPassword(path)
  const logged = outageLog({
    begins: "The file of the database's password cannot be read; new connections use the last one",
    ends: "The file of the database's password can be read again",
  })
  const file: PasswordFile = {
    read: logged(readPassword(path)).pipe(
      Effect.tap((password) => Effect.sync(() => (last = password))),
      Effect.catch(() => Effect.succeed(last)),
    ),
  }
  return file
})

/**
 * Whether the server refused the password of a new connection: nothing was sent on that connection. Only a connection
 * that is being opened can fail so.
 */
export const isPasswordRefused = (error: unknown): boolean =>
  error instanceof SqlError &&
  error.reason._tag === "AuthenticationError" &&
  "operation" in error.reason &&
  error.reason.operation === "connect"

/**
 * A password is changed in the database and in the file, not in both at the same moment: 5 further attempts in 1.6 s, less
 * than a caller waits for PostgreSQL (2.5 s). Each doubles the pause, to write few lines into the server's log when the
 * password is simply wrong.
 */
const REFUSED_AGAIN = Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 5 }))

/**
 * Repeats what opened a connection whose password was refused. Each attempt reads the file again. Without a file, the
 * password is what it is, and nothing is repeated.
 */
export const retrying =
  (file: PasswordFile | undefined) =>
  <A, E, R>(opening: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    file === undefined
      ? opening
      : Effect.retry(opening, { while: isPasswordRefused, schedule: REFUSED_AGAIN })
