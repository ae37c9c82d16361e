import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

/** Upper bound of any statement at the server, in ms: far above the slowest seen (8 ms), below what a caller waits. */
export const STATEMENT_TIMEOUT_MILLIS = 2000

/**
 * What the role must be given where a pooler between us and PostgreSQL does not pass on what a connection asks for. A
 * role has one time limit for locks, so this is that of a batch.
 */
const ROLE_SETTINGS: Readonly<Record<string, string>> = {
  statement_timeout: `${STATEMENT_TIMEOUT_MILLIS}ms`,
  lock_timeout: "500ms",
  default_transaction_isolation: "read committed",
}

/** What any connection of ours asks for: what a pooler must let pass. */
const STARTUP_PARAMETERS = [...Object.keys(ROLE_SETTINGS), "plan_cache_mode", "synchronous_commit"]

const refusal = (message: string) =>
  new SqlError({
    reason: new ConnectionError({ cause: new Error(message), message, operation: "connect" }),
  })

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
const explainRefusal = (config: PgConnection.Config, error: SqlError) => {
  const { cause } = error.reason
  const [, name] = REFUSED_PARAMETER.exec(cause instanceof Error ? cause.message : "") ?? []
  if (name === undefined) return error
  const url = new URL(config.url === undefined ? "" : Redacted.value(config.url))
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

/** Whether a setting that only makes statements faster, or one that keeps a promise, is as it was asked for. */
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
  config: PgConnection.Config,
  admit: (connection: PgConnection.PgConnection) => Effect.Effect<unknown, SqlError>,
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make(config)
    yield* admit(connection)
    const { settings, role } = yield* readSettings(connection, config.startupParameters ?? {})
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
    Effect.mapError((error) => explainRefusal(config, error)),
  )
