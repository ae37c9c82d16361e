import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Reactivity from "effect/reactivity/Reactivity"
import { Scores } from "../../src/domain/Score.ts"

/** Asks PostgreSQL directly, past every proxy, on a connection of its own. */
const onPostgres = <A, E>(url: Redacted.Redacted, ask: (sql: PgClient.PgClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(PgClient.make({ url, maxConnections: 1 }), ask).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.orDie,
  )

/**
 * Empties the data and draws a new epoch, as an operator does who rebuilds it: every run begins with an empty
 * board, on the processes of the one before.
 */
export const rebuild = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`set local session_replication_role = replica`
        yield* sql`truncate users, scores, score_events, idempotency_keys, outbox, revoked_tokens, players_at_least`
        yield* sql`update board_epoch set epoch = gen_random_uuid()::text`
      }),
    ),
  )

const decodeTop = Schema.decodeUnknownEffect(Scores)

/** The best ten, in board order. */
export const top = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.flatMap(
      sql`select u.email, s.score::float8 as score from scores s join users u on u.id = s.user_id
        where not s.hidden order by s.score desc, s.reached, s.user_id limit 10`,
      (rows) => decodeTop(rows),
    ),
  )

/** How many commits still wait for their messages to be sent. */
export const waiting = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.map(sql<{ rows: number }>`select count(*)::int as rows from outbox`, ([row]) => row?.rows ?? -1),
  )

/** What holds at any time, from `docs/write-path.md`: each query gives no row. */
const INVARIANTS: Readonly<Record<string, string>> = {
  "scores are the sum of the history": `
    select 1 where (select coalesce(sum(score), 0) from scores) <> (select coalesce(sum(amount), 0) from score_events)`,
  "a player's history has no gap": `
    select user_id from scores s full join (select user_id, sum(amount) as total, max(score_after) as last,
      count(*) as events, count(distinct score_after) as steps from score_events group by user_id) e using (user_id)
    where s.score is distinct from e.total or e.last <> e.events or e.steps <> e.events`,
  "no key counts twice": `
    select 1 from score_events where key is not null group by user_id, key having count(*) > 1`,
  "a key belongs to its event": `
    select 1 from idempotency_keys k full join (select * from score_events where key is not null) e
      on e.user_id = k.user_id and e.id = k.event_id where e.key is distinct from k.key`,
  "levels are what a count gives": `
    with want as (select level, count(*) as players from scores, generate_series(1, score) level group by level),
      have as (select score as level, sum(players) as players from players_at_least group by score having sum(players) <> 0)
    select 1 from want full join have using (level) where want.players is distinct from have.players`,
  "a score belongs to a player": `
    select 1 from scores s left join users u on u.id = s.user_id where u.id is null`,
}

/** What does not hold. */
export const broken = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.map(
      Effect.forEach(Object.entries(INVARIANTS), ([name, query]) =>
        Effect.map(sql.unsafe(query), (rows) => (rows.length === 0 ? [] : [`It does not hold that ${name}`])),
      ),
      (found) => found.flat(),
    ),
  )

/** Compares the history with what clients know: the keys they sent, by player, each accepted. */
export const reconcile = (url: Redacted.Redacted, sent: ReadonlyMap<string, { readonly userId: string }>) =>
  onPostgres(url, (sql) =>
    Effect.gen(function* () {
      const events = yield* sql<{
        user_id: string
        key: string | null
      }>`select user_id, key from score_events`
      const scores = yield* sql<{
        user_id: string
        score: number
      }>`select user_id, score::float8 as score from scores`
      const findings: Array<string> = []
      const counted = new Map<string, number>()
      for (const { key, user_id } of events) {
        counted.set(String(key), (counted.get(String(key)) ?? 0) + 1)
        if (key === null || sent.get(key)?.userId !== user_id)
          findings.push(`Counted, but never sent: ${key}`)
      }
      for (const key of sent.keys()) {
        const times = counted.get(key) ?? 0
        if (times !== 1) findings.push(`Accepted once, counted ${times} times: ${key}`)
      }
      const wanted = Map.groupBy(sent.values(), ({ userId }) => userId)
      for (const { user_id, score } of scores) {
        const requests = wanted.get(user_id)?.length ?? 0
        if (score !== requests) findings.push(`${user_id} has ${score} for ${requests} requests`)
      }
      return findings
    }),
  )
