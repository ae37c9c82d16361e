import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"

/**
 * How long one attempt waits for a lock. Whoever needs the table meanwhile queues behind the attempt, and a commit gives
 * up after 500 ms: see `COMMIT_LOCK_TIMEOUT_MILLIS` of the settings.
 */
const LOCK_TIMEOUT_MILLIS = 300

/** The wait for the end of a table's maintenance, beyond `deadlock_timeout`: an autovacuum ends its work in tidy order. */
const MAINTENANCE_MILLIS = 1_000

/** Between two attempts, for those who queued behind the last one; with jitter, so that several starts do not meet. */
const PAUSE_MILLIS = { least: 700, most: 1_500 }

/** The same where nobody needs the lock but others who start: so long does a start wait for another one that is done. */
const TABLE_PAUSE_MILLIS = { least: 50, most: 150 }

/** How often a long wait looks who holds it up. */
const LOOK_EVERY = "100 millis"

/** A warning names who holds it up after this long, and then this often. */
const WARN_AFTER_MILLIS = 1_000
const WARN_EVERY_MILLIS = 30_000

/** After this long the wait is given up: a start then ends, and whoever runs the process starts it again. */
const WAIT_LIMIT = Duration.minutes(5)

/** The name of the migrator's connections in `pg_stat_activity`. */
export const MIGRATOR = "scoreboard migrate"

const Blockers = Schema.Array(
  Schema.Struct({
    pid: Schema.Int,
    application: Schema.NullOr(Schema.String),
    state: Schema.NullOr(Schema.String),
    queryStart: Schema.NullOr(Schema.String),
    transactionStart: Schema.NullOr(Schema.String),
    /** The table that it maintains and a migrator waits for. */
    maintains: Schema.optionalKey(Schema.NullOr(Schema.String)),
  }),
)
type Blockers = typeof Blockers.Type
const decodeBlockers = Schema.decodeUnknownEffect(Blockers)

/** What an operator may know about a session. Only an autovacuum is in a database without being anybody's. */
const SESSION = `pid, case when usesysid is null then 'autovacuum' else application_name end as application, state,
  query_start::text as "queryStart", xact_start::text as "transactionStart"`

/** Who holds up the migrators at this moment, but for themselves: the look itself is a transaction, too. Never the text of a statement: that may contain anything. */
const blockersOf = (sql: SqlClient.SqlClient) =>
  Effect.flatMap(
    sql`
with waiting as materialized (select pid from pg_stat_activity
  where application_name = ${MIGRATOR} and datname = current_database() and wait_event_type = 'Lock'),
blocking as materialized (select distinct unnest(pg_blocking_pids(pid)) as pid from waiting)
select ${sql.literal(SESSION)}, (select min(has.relation::regclass::text) from pg_locks has
    join pg_locks wants on wants.relation = has.relation and wants.database = has.database and not wants.granted
    where has.pid = blocking.pid and has.granted and has.mode = 'ShareUpdateExclusiveLock'
      and wants.pid in (select pid from waiting)) as maintains
from blocking join pg_stat_activity using (pid) where application_name is distinct from ${MIGRATOR} order by pid`,
    decodeBlockers,
  )

/** Who has a table, or waits for it, in a way that keeps a migration out. */
const holdersOf = (sql: SqlClient.SqlClient, table: string) =>
  Effect.flatMap(
    sql`
select distinct ${sql.literal(SESSION)}
from pg_locks join pg_stat_activity using (pid)
where relation = to_regclass(${table}) and pid <> pg_backend_pid()
  and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') order by pid`,
    decodeBlockers,
  )

const describe = ({ pid, application, queryStart, transactionStart }: Blockers[number]) =>
  `process ${pid} (${application ?? "another user's"}, transaction since ${transactionStart ?? "?"}, query since ${queryStart ?? "?"})`

/** Keeps the account of one wait: warns, and fails when it lasts too long. */
const makeAccount = (what: string) => {
  let since: number | undefined
  let warnedAt = Number.NEGATIVE_INFINITY
  let last: Blockers = []
  return {
    /** The table whose maintenance was last seen to hold it up. */
    maintained: () => last.find(({ maintains }) => typeof maintains === "string")?.maintains ?? undefined,
    /** It does not wait any more. */
    over: () => {
      since = undefined
    },
    blocked: Effect.fnUntraced(function* (blockers: Blockers) {
      const now = yield* monotonicMillis
      since ??= now
      if (blockers.length > 0) last = blockers
      if (now - since > Duration.toMillis(WAIT_LIMIT)) {
        return yield* Effect.fail(
          new Error(`waited ${Duration.format(WAIT_LIMIT)} for ${what}: ${last.map(describe).join(", ")}`),
        )
      }
      if (now - since < WARN_AFTER_MILLIS || now - warnedAt < WARN_EVERY_MILLIS || last.length === 0) return
      warnedAt = now
      yield* Effect.logWarning("A migration waits for another transaction").pipe(
        Effect.annotateLogs({ waitsFor: what, blockedBy: last }),
      )
    }),
  }
}

/** Looks again and again who holds the work up; ends only by failing, when the work was held up for too long. */
const watch = (
  watcher: SqlClient.SqlClient,
  account: ReturnType<typeof makeAccount>,
  isContinuous: boolean,
) =>
  Effect.forever(
    Effect.andThen(
      // Interrupting a statement would cost a connection to cancel it.
      Effect.uninterruptible(
        Effect.flatMap(blockersOf(watcher), (blockers) => {
          if (blockers.length > 0) return account.blocked(blockers)
          if (isContinuous) account.over()
          return Effect.void
        }),
      ),
      Effect.sleep(LOOK_EVERY),
    ),
  )

const isLockTimeout = (error: unknown) =>
  SqlError.isSqlError(error) && error.reason._tag === "LockTimeoutError"

/** Tries until the attempt is not held up by a lock; looks after each failure who held it up. */
const attempts = Effect.fnUntraced(function* <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  account: ReturnType<typeof makeAccount>,
  options: {
    readonly blockers: Effect.Effect<Blockers, unknown>
    readonly pauseMillis: { readonly least: number; readonly most: number }
  },
) {
  const tried = Effect.map(attempt, (value) => ({ value }))
  for (;;) {
    const done = yield* Effect.catchIf(tried, isLockTimeout, () => Effect.undefined)
    if (done !== undefined) return done.value
    yield* account.blocked(yield* options.blockers)
    yield* Effect.sleep(yield* Random.nextBetween(options.pauseMillis.least, options.pauseMillis.most))
  }
})

/**
 * Waits until nobody maintains a table, and lets nobody begin until the transaction ends. This wait is in nobody's way but that
 * of other maintenance, so it may last as long as PostgreSQL takes to end an autovacuum for it, which is `deadlock_timeout`: an
 * attempt is over before that.
 */
export const withoutMaintenance = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, table: string) {
  yield* sql`select set_config('lock_timeout', (setting::int + ${MAINTENANCE_MILLIS}::int)::text, true)
from pg_settings where name = 'deadlock_timeout'`
  yield* sql`lock table ${sql.literal(table)} in share update exclusive mode`
  yield* sql`select set_config('lock_timeout', ${String(LOCK_TIMEOUT_MILLIS)}, true)`
})

/** A transaction whose statements may take any time, but wait for a lock only so long that nobody behind them fails. */
const patientTransaction = <A, E, R>(sql: SqlClient.SqlClient, transaction: Effect.Effect<A, E, R>) =>
  sql.withTransaction(
    // By a stricter default, a transaction would keep its snapshot, and a concurrent build would wait for its own guard.
    sql`set transaction isolation level read committed`.pipe(
      // A role may have limits of its own. The names that a server does not know are no error in this form.
      Effect.andThen(sql`select set_config(name, case name when 'lock_timeout' then ${String(LOCK_TIMEOUT_MILLIS)} else '0' end, true) from pg_settings
where name in ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`),
      Effect.andThen(transaction),
    ),
  )

/**
 * Runs a transaction that reads or locks one table, again and again until it gets its lock. Warns who has the table, and
 * fails after five minutes.
 */
export const waitingForTable = <A, E, R>(
  sql: SqlClient.SqlClient,
  wait: { readonly what: string; readonly table: string },
  transaction: Effect.Effect<A, E, R>,
) =>
  attempts(patientTransaction(sql, transaction), makeAccount(wait.what), {
    blockers: holdersOf(sql, wait.table),
    pauseMillis: TABLE_PAUSE_MILLIS,
  })

/**
 * Runs a transaction again and again until it gets all its locks. `watcher`, another connection, sees meanwhile who holds
 * it up. Warns, and fails after five minutes.
 */
export const waitingForLocks = <A, E, R>(
  sql: SqlClient.SqlClient,
  wait: { readonly what: string; readonly watcher: SqlClient.SqlClient },
  transaction: Effect.Effect<A, E, R>,
) => {
  const account = makeAccount(wait.what)
  const attempt = Effect.suspend(() => {
    const table = account.maintained()
    return table === undefined ? transaction : Effect.andThen(withoutMaintenance(sql, table), transaction)
  })
  return Effect.raceFirst(
    attempts(patientTransaction(sql, attempt), account, {
      blockers: Effect.succeed([]),
      pauseMillis: PAUSE_MILLIS,
    }),
    watch(wait.watcher, account, false),
  )
}

/**
 * Runs statements outside a transaction that wait for older transactions without being in anybody's way, such as a
 * concurrent build of an index: they wait in one piece. Warns who holds them up, and fails after five minutes without
 * progress.
 */
export const waitingForTransactions = <A, E, R>(
  sql: SqlClient.SqlClient,
  wait: { readonly what: string; readonly watcher: SqlClient.SqlClient },
  statements: Effect.Effect<A, E, R>,
) =>
  sql`set statement_timeout = 0`.pipe(
    // A lock that waits in nobody's way needs no limit, and a build that is cut off is lost.
    Effect.andThen(sql`set lock_timeout = 0`),
    // By a stricter default, a statement beside increments would fail.
    Effect.andThen(sql`set default_transaction_isolation = 'read committed'`),
    Effect.andThen(statements),
    // A reset fails only with its connection, and the settings end with that, too.
    Effect.ensuring(Effect.ignore(sql`reset statement_timeout`)),
    Effect.ensuring(Effect.ignore(sql`reset lock_timeout`)),
    Effect.ensuring(Effect.ignore(sql`reset default_transaction_isolation`)),
    Effect.raceFirst(watch(wait.watcher, makeAccount(wait.what), true)),
  )
