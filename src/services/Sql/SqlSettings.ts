import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import { refusal } from "./SqlPrimary.ts"

/** Upper bound of any statement at the server, in ms: far above the slowest seen (8 ms), below what a caller waits. */
export const STATEMENT_TIMEOUT_MILLIS = 2000

/**
 * A row locked elsewhere fails a batch, whose other requests wait meanwhile, after this long. Twice the time of a batch in a
 * database so slow that it is overloaded (250 ms): while another commit has one of its players, a batch waits for that
 * commit and does not fail.
 */
export const COMMIT_LOCK_TIMEOUT_MILLIS = 500

/**
 * What the role must be given where a pooler between us and PostgreSQL does not pass on what a connection asks for. A
 * role has one time limit for locks, so this is that of a batch.
 */
const ROLE_SETTINGS: Readonly<Record<string, string>> = {
  statement_timeout: `${STATEMENT_TIMEOUT_MILLIS}ms`,
  lock_timeout: `${COMMIT_LOCK_TIMEOUT_MILLIS}ms`,
  default_transaction_isolation: "read committed",
}

/** What any connection of ours asks for: what a pooler must let pass. */
const STARTUP_PARAMETERS = [...Object.keys(ROLE_SETTINGS), "plan_cache_mode", "synchronous_commit"]

/** The statements that give the role what it must have: those of `names`. */
const alterRole = (role: string, names: ReadonlyArray<string>) =>
  names
    .flatMap((name) => {
      const value = ROLE_SETTINGS[name]
      return value === undefined
        ? []
        : [`alter role "${role.replaceAll('"', '""')}" set ${name} = '${value}'`]
    })
    .join("; ")

/** A server or a pooler that takes a connection and answers nothing must not keep a start from ending. */
const ANSWER_LIMIT = "5 seconds"

/** The words of pgbouncer: `unsupported startup parameter: statement_timeout`. */
const REFUSED_PARAMETER = /unsupported startup parameter[^:]*: ?"?(\w+)/

/** Says what to do about a pooler that refuses a parameter; any other failure stays as it is. */
const explainRefusal = (address: Redacted.Redacted, error: SqlError) => {
  const { cause } = error.reason
  const [, name] = REFUSED_PARAMETER.exec(cause instanceof Error ? cause.message : "") ?? []
  if (name === undefined) return error
  const url = new URL(Redacted.value(address))
  const role = url.searchParams.get("user") ?? decodeURIComponent(url.username)
  return refusal(
    `a pooler refuses the startup parameter ${name}. Add to its ignore_startup_parameters: ${STARTUP_PARAMETERS.join(", ")}; ` +
      `and run: ${alterRole(role, Object.keys(ROLE_SETTINGS))}`,
  )
}

interface Setting {
  readonly name: string
  readonly actual: string
  readonly wanted: string
}

/** Whether the server keeps to what was asked for. */
const isInForce = ({ name, actual, wanted }: Setting) => {
  if (!name.endsWith("_timeout")) return actual === wanted
  // A role has one limit for all kinds of connections. 0 = none.
  return Number(actual) > 0 && Number(actual) <= Math.max(Number(wanted), STATEMENT_TIMEOUT_MILLIS)
}

const readSettings = Effect.fnUntraced(function* (
  connection: PgConnection.PgConnection,
  wanted: Readonly<Record<string, string>>,
) {
  const { rows } = yield* connection.query(
    "select name, setting, current_user::text as role from pg_settings where name = any (string_to_array($1, ','))",
    [Object.keys(wanted).join(",")],
    false,
  )
  const settings = rows.flatMap((row): ReadonlyArray<Setting> => {
    const value = wanted[String(row["name"])]
    return value === undefined
      ? []
      : [{ name: String(row["name"]), actual: String(row["setting"]), wanted: value }]
  })
  return { settings, role: String(rows[0]?.["role"]) }
})

/**
 * Opens a connection as a pool will open it, and closes it again. Fails with one line that says what to do if a pooler
 * refuses or ignores what the connection asks for and needs. Logs what is ignored and only makes statements slower.
 */
export const tryOut = (
  config: PgConnection.Config & {
    readonly url: Redacted.Redacted
    readonly startupParameters: Readonly<Record<string, string>>
  },
  admit: (connection: PgConnection.PgConnection) => Effect.Effect<unknown, SqlError>,
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make(config)
    yield* admit(connection)
    const { settings, role } = yield* readSettings(connection, config.startupParameters)
    const ignored = settings.filter((setting) => !isInForce(setting)).map(({ name }) => name)
    const needed = ignored.filter((name) => ROLE_SETTINGS[name] !== undefined)
    if (needed.length > 0) {
      return yield* refusal(`a pooler ignores ${needed.join(", ")}. Run: ${alterRole(role, needed)}`)
    }
    if (ignored.length > 0) {
      yield* Effect.logWarning("A pooler ignores settings that make statements faster", {
        connection: config.applicationName,
        ignored,
      })
    }
  }).pipe(
    Effect.scoped,
    Effect.timeoutOrElse({
      duration: ANSWER_LIMIT,
      orElse: () => Effect.fail(refusal(`no answer within ${ANSWER_LIMIT}`)),
    }),
    Effect.mapError((error) => explainRefusal(config.url, error)),
  )
