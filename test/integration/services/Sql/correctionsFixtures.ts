import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { UserId } from "../../../../src/domain/Score.ts"
import type { Sql } from "../../../../src/services/Sql/Sql.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import { until } from "../../../support/fixtures.ts"
import { by, setup } from "./fixtures.ts"

/** The players of these tests. */
export const ADA = UserId.make("ada")
export const GRACE = UserId.make("grace")
/** What an operator says about an act. */
export const act = (userId: UserId) => ({ userId, actor: "linus", reason: "a test" })

/** A fresh database, and operators on it with a connection each. */
export const withOperators = Effect.gen(function* () {
  const made = yield* setup
  const moderation = Effect.map(Layer.build(SqlModerationPostgres.layerFrom(made.url)), (services) =>
    Context.get(services, SqlModeration),
  )
  return { ...made, one: yield* moderation, two: yield* moderation }
})

interface StoredEvent {
  readonly id: string
  readonly user: string
  readonly kind: string
  readonly points: number
  readonly undoes: string | null
}

/** Every event, oldest first. */
export const history = (operator: PgClient.PgClient) => operator<StoredEvent>`
select id::text, user_id as user, kind, coalesce(points, amount)::float8 as points, undoes::text from score_events
order by score_events.id`

/** Every player's score and the event that `reached` it. */
export const standings = (operator: PgClient.PgClient) =>
  operator<{
    readonly user: string
    readonly score: number
    readonly reached: string
  }>`
select user_id as user, score::float8 as score, reached::text from scores order by user_id`

/** Every player's score and place among equals as if no undone correction had ever been made. */
export const withoutUndone = (events: ReadonlyArray<StoredEvent>) => {
  const undone = new Set(events.map(({ undoes }) => undoes))
  const players = [...Map.groupBy(events, ({ user }) => user)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return players.map(([user, own]) => {
    const counting = own.filter(
      ({ id, kind, points }) => points !== 0 && kind !== "undone" && !undone.has(id),
    )
    const score = counting.reduce((sum, { points }) => sum + points, 0)
    return { user, score, reached: (counting.at(-1) ?? own[0])?.id ?? "" }
  })
}

/** Something that happens to scores beside undoing: an increment, a correction under a key or without, or no change of a score. */
export const anyAct = (given: {
  readonly number: (limit: number) => number
  readonly players: ReadonlyArray<UserId>
  readonly sql: Sql["Service"]
  readonly one: SqlModeration["Service"]
}): Effect.Effect<unknown, unknown> => {
  const { number, one, players, sql } = given
  const player = () => players[number(players.length)] ?? ADA
  const userId = player()
  switch (number(6)) {
    case 0:
      return one.setHidden(number(3) === 0, act(userId))
    case 1:
      return one.endSignIns(act(userId))
    case 2:
      return sql.increment(Array.from({ length: 1 + number(3) }, () => by(player())))
    default: {
      const amount = number(2) === 0 ? 1 + number(4) : -1 - number(4)
      return one.correct({ amount, key: number(3) === 0 ? `k${number(20)}` : undefined }, act(userId))
    }
  }
}

/** Runs `work` while ada's row is locked, until `waiting` operators wait for it. */
export const whileLocked = <A, E, R>(
  operator: PgClient.PgClient,
  waiting: number,
  work: Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const holding = yield* Deferred.make<void>()
    const done = yield* Deferred.make<void>()
    const holder = yield* operator
      .withTransaction(
        operator`select 1 from scores where user_id = 'ada' for update`.pipe(
          Effect.andThen(Deferred.succeed(holding, undefined)),
          Effect.andThen(Deferred.await(done)),
        ),
      )
      .pipe(Effect.forkChild)
    yield* Deferred.await(holding)
    const working = yield* Effect.forkChild(work)
    yield* until(
      "the operators wait",
      operator`
select 1 from pg_stat_activity where application_name = 'scoreboard admin' and datname = current_database()
  and wait_event_type = 'Lock'`,
      (rows) => rows.length === waiting,
    )
    yield* Deferred.succeed(done, undefined)
    yield* Fiber.join(holder)
    return yield* Fiber.join(working)
  })
