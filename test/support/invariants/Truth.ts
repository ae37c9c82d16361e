import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Reactivity from "effect/reactivity/Reactivity"
import { Scores } from "../../../src/domain/Score.ts"
import { violations } from "./Violations.ts"

/** Asks PostgreSQL directly, without a proxy, on a connection of its own. */
const onPostgres = <A, E>(url: Redacted.Redacted, ask: (sql: PgClient.PgClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(PgClient.make({ url, maxConnections: 1, connectTimeout: "30 seconds" }), ask).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.orDie,
  )

/**
 * Deletes all data and draws a new epoch, as an operator does who rebuilds the data. So every run begins with an empty
 * board, on the processes of the run before.
 */
export const rebuild = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`set local session_replication_role = replica`
        yield* sql`truncate users, scores, score_events, idempotency_keys, operator_keys, outbox, revoked_tokens, rank_node`
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

/** How many commits have messages that are not sent yet. */
export const waiting = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.map(sql<{ rows: number }>`select count(*)::int as rows from outbox`, ([row]) => row?.rows ?? -1),
  )

/** The invariants that are broken, except the one of the outbox, which is true only until messages are sent. */
export const broken = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.map(violations(sql), (names) =>
      names.filter((name) => name !== "outbox and history").map((name) => `It does not hold: ${name}`),
    ),
  )

/** The newest event of the history; 0 if there is none. */
export const lastEvent = (url: Redacted.Redacted) =>
  onPostgres(url, (sql) =>
    Effect.map(
      sql<{ id: number }>`select coalesce(max(id), 0)::float8 as id from score_events`,
      ([row]) => row?.id ?? 0,
    ),
  )

/** Of the events after one, whose keys end with a number each: these numbers, read so many at a time. */
export const numbersOfKeys = (url: Redacted.Redacted, after: number, limit: number) =>
  onPostgres(url, (sql) =>
    Effect.gen(function* () {
      const numbers = new Set<number>()
      for (let last = after; ;) {
        const rows = yield* sql<{ id: number; n: number }>`
          select id::float8 as id, substring(key from '[0-9]+$')::int as n from score_events
          where id > ${last} order by id limit ${limit}`
        for (const { n } of rows) numbers.add(n)
        if (rows.length < limit) return numbers
        last = rows.at(-1)?.id ?? last
      }
    }),
  )

/** Stores players, so that their tokens need no e-mail. */
export const register = (
  url: Redacted.Redacted,
  players: ReadonlyArray<{ readonly id: string; readonly email: string }>,
) =>
  onPostgres(
    url,
    (sql) =>
      sql`insert into users (id, email) select * from unnest(${players.map(({ id }) => id)}::text[],
      ${players.map(({ email }) => email)}::text[])`,
  )

/** Compares the history with the keys that clients sent, each of which was accepted. */
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
