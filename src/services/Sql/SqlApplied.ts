import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { waitingForTable } from "./SqlLockWait.ts"
import { known } from "./SqlMigrations.ts"
import type { MigrationState } from "./SqlSchema.ts"

/** The table of applied migrations: the name and columns that Effect's own migrator uses, which released code runs. */
export const TABLE = "effect_sql_migrations"

const Server = Schema.Tuple([Schema.Struct({ present: Schema.Boolean, standby: Schema.Boolean })])
const decodeServer = Schema.decodeUnknownEffect(Server)

const Applied = Schema.Array(Schema.Struct({ id: Schema.Int, name: Schema.String, at: Schema.String }))
const decodeApplied = Schema.decodeUnknownEffect(Applied)

const labelOf = (id: number, name: string) => `${String(id).padStart(4, "0")}_${name}`

/**
 * Every migration that this code or the database knows. Reads, and locks nothing against anybody; waits only while the
 * migrator of an earlier release has, or waits for, the table for itself.
 */
export const readSchema = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const [server] = yield* decodeServer(
    yield* sql`select to_regclass(${TABLE}) is not null as present, pg_is_in_recovery() as standby`,
  )
  if (server.standby) return yield* Effect.fail(new Error("this server is a standby, not the primary"))
  const applied = server.present
    ? yield* decodeApplied(
        yield* waitingForTable(
          sql,
          { what: "the list of applied migrations", table: TABLE },
          sql`
select migration_id as id, name, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at
from ${sql(TABLE)} order by 1`,
        ),
      )
    : []
  const byId = new Map(applied.map((row) => [row.id, row]))
  const ids = new Set(known.map(({ id }) => id))
  const states: ReadonlyArray<MigrationState> = [
    ...known.map(({ id, label }) => ({ label, appliedAt: byId.get(id)?.at, known: true })),
    ...applied
      .filter(({ id }) => !ids.has(id))
      .map(({ id, name, at }) => ({ label: labelOf(id, name), appliedAt: at, known: false })),
  ]
  return states.toSorted((a, b) => (a.label < b.label ? -1 : 1))
})

/** The labels of what this code needs and the database lacks. A schema that is newer than the code lacks nothing. */
export const missingOf = (states: ReadonlyArray<MigrationState>): ReadonlyArray<string> =>
  states.filter(({ appliedAt }) => appliedAt === undefined).map(({ label }) => label)
