import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import { Count } from "../../domain/Score.ts"
import type { DataCheck, Snapshot } from "./SqlInspection.ts"
import { historyAmount } from "./SqlHistoryAmount.ts"
import { selectReport } from "./SqlWrongNodes.ts"

/**
 * A key is remembered for 24 hours, and afterwards may count again. An hour less, because the history's times come from
 * a clock that may be set.
 */
const KEY_REMEMBERED = "23 hours"

/** Memory of one sort or hash table of a check; what is larger goes to temporary files. */
const WORK_MEM = "64MB"

/** Players of `generate`, who have scores without history. */
const isSynthetic = "user_id >= 'synthetic-' and user_id < 'synthetic.'"

const historyCheck = (sql: SqlClient.SqlClient) => sql`
with events as (select user_id, sum(${historyAmount(sql)}) as total, count(*) as events, max(score_after) as last,
    count(distinct score_after) as steps, bool_or(kind <> 'increment') as moderated from score_events group by user_id),
wrong as materialized (select user_id, s.score, e.total, e.events, e.last, e.steps
  from scores s full join events e using (user_id)
  where (s.score is distinct from e.total or not e.moderated and (e.last <> e.events or e.steps <> e.events))
    and not (${sql.literal(isSynthetic)}))
select json_build_object('players', (select count(*) from scores), 'events', (select count(*) from score_events),
    'synthetic', (select count(*) from scores where ${sql.literal(isSynthetic)})) as looked,
  (select count(*)::float8 from wrong) as differences,
  (select json_build_object('userId', user_id, 'score', score, 'history', total, 'events', events, 'last', last,
    'steps', steps) from wrong order by user_id limit 1) as first`

const keysCheck = (sql: SqlClient.SqlClient) => sql`
with repeated as materialized (select user_id, key from score_events where key is not null and kind = 'increment'
    group by user_id, key having count(*) > 1),
gaps as (select user_id, id, at - lag(at) over (partition by user_id, key order by at, id) as gap
  from score_events join repeated using (user_id, key) where kind = 'increment'),
wrong as materialized (
  select user_id, id, 'its key was counted before' as problem from gaps where gap < ${KEY_REMEMBERED}::interval
  union all
  select k.user_id, k.event_id, 'a stored key names this event, which has another key or is not there'
  from idempotency_keys k left join score_events e on e.user_id = k.user_id and e.id = k.event_id
  where e.key is distinct from k.key
  union all
  select k.user_id, k.event_id, 'a key of an operator names this event, which is another one or is not there'
  from operator_keys k left join score_events e on e.user_id = k.user_id and e.id = k.event_id
  where case k.kind when 'corrected' then e.kind = k.kind and e.key = k.key when 'undone' then e.kind = k.kind and e.undoes::text = k.key
    when 'imported' then e.kind = k.kind and e.user_id || ' ' || e.score_after = k.key else e.id is not null end is not true)
select json_build_object('keys', (select count(*) from idempotency_keys),
    'eventsWithKey', (select count(*) from score_events where key is not null and kind = 'increment')) as looked,
  (select count(*)::float8 from wrong) as differences,
  (select json_build_object('userId', user_id, 'event', id::text, 'problem', problem)
    from wrong order by user_id, id limit 1) as first`

const playersCheck = (sql: SqlClient.SqlClient) => sql`
with wrong as materialized (select s.user_id, s.score from scores s left join users u on u.id = s.user_id where u.id is null)
select json_build_object('scores', (select count(*) from scores), 'players', (select count(*) from users)) as looked,
  (select count(*)::float8 from wrong) as differences,
  (select json_build_object('userId', user_id, 'score', score) from wrong order by user_id limit 1) as first`

const CheckRow = Schema.Struct({
  looked: Schema.Record(Schema.String, Schema.Finite),
  differences: Count,
  first: Schema.NullOr(
    Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Null])),
  ),
})
const decodeCheck = Schema.decodeUnknownEffect(Schema.Tuple([CheckRow]))

/** Runs a check and reads its row. */
const counted = Effect.fnUntraced(function* <E>(
  check: DataCheck["check"],
  rows: Effect.Effect<ReadonlyArray<unknown>, E>,
) {
  const [{ differences, first, looked }] = yield* Effect.orDie(decodeCheck(yield* rows))
  const done: DataCheck = { check, looked, differences, first: first ?? undefined }
  return done
})

const ranksCheck = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const { lowest, wrong, ...looked } = yield* selectReport(sql)
  const done: DataCheck = { check: "ranks", looked, differences: wrong, first: lowest[0] }
  return done
})

const SnapshotRow = Schema.Tuple([Schema.Struct({ database: Schema.String, at: Schema.String })])
const decodeSnapshot = Schema.decodeUnknownEffect(SnapshotRow)

/** See `SqlInspection.verify`. */
export const verifyData = (sql: SqlClient.SqlClient, onCheck: (check: DataCheck) => Effect.Effect<void>) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`set transaction isolation level repeatable read, read only`
      yield* sql`select set_config('work_mem', ${WORK_MEM}, true)`
      const [snapshot] = yield* Effect.orDie(
        decodeSnapshot(
          yield* sql`select current_database()::text as database,
            to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at`,
        ),
      )
      const checks = [
        counted("history", historyCheck(sql)),
        counted("keys", keysCheck(sql)),
        counted("players", playersCheck(sql)),
        ranksCheck(sql),
      ]
      for (const check of checks) yield* onCheck(yield* check)
      const looked: Snapshot = snapshot
      return looked
    }),
  )
