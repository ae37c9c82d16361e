import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Reactivity from "effect/reactivity/Reactivity"

/** How long a session tries to reach PostgreSQL, which another fault may have taken away. */
const REACH = Schedule.spaced("200 millis").pipe(Schedule.upTo({ times: 50 }))

type Sql = PgClient.PgClient
type Statement = (sql: Sql) => Effect.Effect<unknown, unknown>

/**
 * An operator's transaction that stays open while `during` runs and is rolled back after it. It may end earlier, with
 * its server. Gives whether it began.
 */
const open = <E, R>(url: Redacted.Redacted, begin: Statement, during: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    let began = false
    const undo = new Error("rolled back on purpose")
    const transaction = Effect.gen(function* () {
      const sql = yield* PgClient.make({ url, maxConnections: 1, connectTimeout: "2 seconds" })
      return yield* sql.withTransaction(
        begin(sql).pipe(
          Effect.andThen(Effect.sync(() => (began = true))),
          Effect.andThen(during),
          Effect.andThen(Effect.fail(undo)),
        ),
      )
    }).pipe(Effect.scoped, Effect.provide(Reactivity.layer))
    // A server that ends takes the transaction with it, and then the rollback fails.
    yield* Effect.exit(Effect.retry(transaction, { schedule: REACH, while: () => !began }))
    return began
  })

export const LOCKED_ROWS = ["scores", "users", "idempotency_keys", "rank_node"] as const
export type LockedRow = (typeof LOCKED_ROWS)[number]

/** Rows that a player's commit needs, by their table. `key` begins the keys that the player's clients send. */
const LOCKS: Readonly<Record<LockedRow, (player: string, key: string) => Statement>> = {
  scores: (player) => (sql) => sql`select from scores where user_id = ${player} for update`,
  users: (player) => (sql) => sql`select from users where id = ${player} for update`,
  // The keys of presses to come: who sends one waits to see whether this insert counts.
  idempotency_keys: (player, key) => (sql) =>
    sql`insert into idempotency_keys (user_id, key, event_id)
      select ${player}, ${key} || n, 0 from generate_series(0, 500) n on conflict do nothing`,
  // Who goes from 15 points to 16, or from 31 to 32, needs this one.
  rank_node: () => (sql) =>
    sql`insert into rank_node as p (period, level, block, shard) select 0, 1, 0, g from generate_series(0, 15) g
      on conflict (period, level, block, shard) do update set c1 = p.c1`,
}

/** Holds a row that the commits of a player need. */
export const lockRow = (
  url: Redacted.Redacted,
  row: { readonly table: LockedRow; readonly player: string; readonly key: string },
  forMillis: number,
) => open(url, LOCKS[row.table](row.player, row.key), Effect.sleep(forMillis))

const REPEATABLE_READ: Statement = (sql) =>
  Effect.andThen(sql`set transaction isolation level repeatable read`, sql`select count(*) from scores`)

/** Holds a snapshot, as a long report does: nothing that dies after it can be cleaned. */
export const holdSnapshot = (url: Redacted.Redacted, forMillis: number) =>
  open(url, REPEATABLE_READ, Effect.sleep(forMillis))

/** What pg_dump holds while it runs, which npm's PostgreSQL lacks: a snapshot, and a lock on every table. */
const BACKUP: Statement = (sql) =>
  Effect.andThen(
    REPEATABLE_READ(sql),
    sql.unsafe(`do $$ declare one regclass; begin
      for one in select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace
        where relkind in ('r', 'p') and nspname = 'public' order by c.oid
      loop execute format('lock table %s in access share mode', one); end loop; end $$`),
  )

/** Holds these while `during` runs. */
export const backUp = <E, R>(url: Redacted.Redacted, during: Effect.Effect<unknown, E, R>) =>
  open(url, BACKUP, during)

/** Reads every row of every table, as pg_dump does. */
const READ_ALL: Statement = (sql) =>
  sql.unsafe(`do $$ declare one regclass; begin
    for one in select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace
      where relkind = 'r' and nspname = 'public' order by c.oid
    loop execute format('select sum(hashtext(t::text)) from only %s t', one); end loop; end $$`)

/** A backup that first reads all there is, and lasts as long as `during` after that. */
export const dump = <E, R>(url: Redacted.Redacted, during: Effect.Effect<unknown, E, R>) =>
  open(url, (sql) => Effect.andThen(BACKUP(sql), READ_ALL(sql)), during)
