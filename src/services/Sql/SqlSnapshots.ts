import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { OldSnapshot } from "./SqlUpkeep.ts"

const Snapshots = Schema.Array(
  Schema.Struct({
    seconds: Schema.Number,
    pid: Schema.NullOr(Schema.Int),
    name: Schema.String,
  }),
)
const decodeSnapshots = Schema.decodeUnknownEffect(Snapshots)

/**
 * The session or prepared transaction that has kept dead rows in this database for longest. A replica with
 * `hot_standby_feedback` counts by the begin of its session. Reads only the server's memory.
 */
export const selectOldestSnapshot = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const rows = yield* sql`
select extract(epoch from clock_timestamp() - since)::float8 as seconds, pid, name from (
  select coalesce(xact_start, backend_start) as since, pid, application_name as name from pg_stat_activity
  where (backend_xmin is not null or backend_xid is not null) and pid <> pg_backend_pid()
    and (datname = current_database() or backend_type = 'walsender')
  union all
  select prepared, null, gid from pg_prepared_xacts where database = current_database()) held
order by since limit 1`
  const [row] = yield* Effect.orDie(decodeSnapshots(rows))
  const oldest: OldSnapshot | undefined =
    row === undefined ? undefined : { seconds: row.seconds, pid: row.pid ?? undefined, name: row.name }
  return oldest
})
