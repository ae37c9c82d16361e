import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as SqlClient from "effect/sql/SqlClient"
import { NEIGHBOURS, percentileOf, type RankedScore } from "../../../../src/domain/Ranks.ts"
import { BOARD_SIZE, UserId } from "../../../../src/domain/Score.ts"
import { commitIncrements } from "../../../../src/services/Sql/SqlCommit.ts"
import { boardFromScratch, Engine, numbers, player, request, sqlOn, wrongRanks } from "./ranksFixtures.ts"

const PLAYERS = 24

/** One thing that may happen to scores at any moment, each in one statement or one batch. */
const anyChange = (
  number: (limit: number) => number,
  processes: ReadonlyArray<Effect.Success<ReturnType<typeof sqlOn>>>,
  sql: SqlClient.SqlClient,
): Effect.Effect<unknown, unknown> => {
  const several = Array.from({ length: 1 + number(4) }, () => player(number(PLAYERS)))
  switch (number(9)) {
    case 0:
      return sql`
with locked as materialized (select user_id from scores where user_id = any(${several}::text[]) order by user_id for update)
update scores set hidden = ${number(2) === 0} from locked where scores.user_id = locked.user_id`
    case 1:
      return sql`update scores set hidden = false where user_id = ${player(number(PLAYERS))}`
    case 2:
      return sql`update scores set score = ${number(8)} where user_id = ${player(number(PLAYERS))}`
    case 3:
      return sql`delete from scores where user_id = ${player(number(PLAYERS))}`
    default: {
      const batch = Array.from({ length: 1 + number(12) }, () =>
        // A few keys for everyone, so that many are repeats.
        request(number(PLAYERS), number(2) === 0 ? undefined : `key-${number(6)}`),
      )
      const process = processes[number(processes.length)]
      assert.isDefined(process)
      return process.increment(batch)
    }
  }
}

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("Ranks", (it) => {
  for (const seed of [1, 2, 3, 4]) {
    it.effect(
      `are what a count from scratch gives, after and during anything that happens to scores (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const number = numbers(seed)
          const url = yield* (yield* Engine).freshDatabase
          const one = yield* sqlOn(url)
          const processes = [one, yield* sqlOn(url)]
          const sql = yield* PgClient.make({ url, maxConnections: 4 })

          for (let round = 0; round < 10; round++) {
            const changes = Array.from({ length: 8 }, () => anyChange(number, processes, sql))
            yield* Effect.raceFirst(
              Effect.all(changes, { concurrency: "unbounded", discard: true }),
              Effect.forever(wrongNever(sql)),
            )

            const board = yield* boardFromScratch(sql)
            const top = yield* one.top(BOARD_SIZE)
            const players = board.filter(({ score }) => score > 0).length
            for (let n = 0; n < PLAYERS; n++) {
              const standing = yield* one.standing({ userId: player(n), tokenId: undefined })
              const at = board.findIndex(({ user_id }) => user_id === player(n))
              const rank = board[at]?.rank ?? null
              assert.strictEqual(standing.rank, rank)
              const stamp = { epoch: top.epoch, version: top.version }
              assert.deepInclude(standing, stamp)
              // The address of a player is the number of the player.
              const row = top.scores.findIndex(({ email }) => email === `${n}@example.com`)
              assert.strictEqual(standing.place, row === -1 ? null : row + 1)
              assert.strictEqual(standing.players, players)
              assert.strictEqual(standing.percentile, rank === null ? null : percentileOf(rank, players))
              assert.deepStrictEqual(
                standing.above,
                at === -1 ? [] : board.slice(Math.max(0, at - NEIGHBOURS), at).map(entry),
              )
              assert.deepStrictEqual(
                standing.below,
                at === -1 ? [] : board.slice(at + 1, at + 1 + NEIGHBOURS).map(entry),
              )
            }

            const limit = 1 + number(7)
            assert.deepStrictEqual(yield* allPages(one, limit), board.map(entry))
          }
        }).pipe(Effect.provide(Reactivity.layer)),
    )
  }

  it.effect("pages through equal scores and events without a gap or a repeat", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      const sql = yield* PgClient.make({ url, maxConnections: 1 })
      const process = yield* sqlOn(url)
      yield* sql`insert into users select 'player ' || n, n || '@example.com' from generate_series(1, 40) n`
      yield* sql`insert into scores (user_id, score, reached) select 'player ' || n, n % 3, n % 2 from generate_series(1, 40) n`
      const board = (yield* boardFromScratch(sql)).map(entry)
      for (const limit of [1, 2, 3, 7, 39, 40, 41]) {
        assert.deepStrictEqual(yield* allPages(process, limit), board)
      }
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("are none for a player without a score, a hidden one, and a logged-out token", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      const sql = yield* PgClient.make({ url, maxConnections: 1 })
      const process = yield* sqlOn(url)
      yield* process.increment([request(1), request(1), request(2)])
      yield* sql`update scores set hidden = true where user_id = ${player(1)}`
      yield* sql`insert into revoked_tokens (jti, expires) values ('gone', now() + interval '1 hour')`
      const { epoch, version } = yield* process.top(BOARD_SIZE)
      const none = {
        revoked: false,
        rank: null,
        place: null,
        epoch,
        version,
        score: 0,
        players: 1,
        percentile: null,
        above: [],
        below: [],
      }
      const nobody = UserId.make("nobody")
      assert.deepStrictEqual(yield* process.standing({ userId: nobody, tokenId: undefined }), none)
      assert.deepStrictEqual(yield* process.standing({ userId: player(1), tokenId: undefined }), {
        ...none,
        score: 2,
      })
      assert.isTrue((yield* process.standing({ userId: player(2), tokenId: "gone" })).revoked)
      assert.strictEqual((yield* process.standing({ userId: player(2), tokenId: "other" })).rank, 1)
    }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect(
    "give the row of the top ten that is the player's, not that of another with the same address",
    () =>
      Effect.gen(function* () {
        const url = yield* (yield* Engine).freshDatabase
        const sql = yield* PgClient.make({ url, maxConnections: 1 })
        const process = yield* sqlOn(url)
        yield* sql`insert into users select 'player ' || to_char(n, 'FM00'), 'same@example.com' from generate_series(1, 14) n where n <> 4`
        // All are tied. The fourth has no row in users, the second is hidden, and the twelfth is the last of ten scores.
        yield* sql`insert into scores (user_id, score, reached, hidden) select 'player ' || to_char(n, 'FM00'), 5, n, n = 2 from generate_series(1, 14) n`
        const places = yield* Effect.forEach([1, 2, 3, 4, 5, 11, 12, 13], (n) =>
          Effect.map(process.standing({ userId: player(n), tokenId: undefined }), ({ place }) => place),
        )
        const top = yield* process.top(BOARD_SIZE)
        // `top` has room for ten scores, one of which has no address.
        assert.strictEqual(top.scores.length, 9)
        assert.deepStrictEqual(places, [1, null, 2, null, 3, 9, null, null])
      }).pipe(Effect.provide(Reactivity.layer)),
  )

  it.effect("stay right, without a deadlock, under 64 writers while everyone has 0 points or 1", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Engine).freshDatabase
      yield* sqlOn(url)
      const sql = yield* PgClient.make({ url, maxConnections: 64, connectTimeout: "30 seconds" })
      yield* sql`insert into users select ${"player "} || to_char(n, 'FM00'), n || '@example.com' from generate_series(0, 63) n`
      yield* sql`insert into scores (user_id, score, reached) select id, 0, 0 from users`
      const writer = Effect.fnUntraced(function* (n: number) {
        const number = numbers(n)
        for (let turn = 0; turn < 12; turn++) {
          const some = Array.from({ length: 6 }, () => number(64))
          if (turn % 2 === 0)
            yield* commitIncrements(
              sql,
              some.map((one) => request(one)),
            )
          else {
            yield* sql`
with locked as materialized (select user_id from scores where user_id = any(${some.map(player)}::text[]) order by user_id for update)
update scores set score = least(score, ${number(2)}) from locked where scores.user_id = locked.user_id`
          }
        }
      })
      // A deadlock would fail one of the statements.
      yield* Effect.forEach(
        Array.from({ length: 64 }, (_, n) => n),
        writer,
        { concurrency: 64, discard: true },
      )
      assert.strictEqual(yield* wrongRanks(sql), 0)
    }).pipe(Effect.provide(Reactivity.layer)),
  )
})

const entry = ({ rank, email, score }: RankedScore): RankedScore => ({ rank, email, score })

const wrongNever = (sql: SqlClient.SqlClient) =>
  Effect.map(wrongRanks(sql), (wrong) => assert.strictEqual(wrong, 0))

const allPages = Effect.fnUntraced(function* (
  process: Effect.Success<ReturnType<typeof sqlOn>>,
  limit: number,
) {
  const all: Array<RankedScore> = []
  let after: string | undefined
  do {
    const page = yield* process.page({ after, limit })
    all.push(...page.scores)
    after = page.next ?? undefined
  } while (after !== undefined)
  return all
})
