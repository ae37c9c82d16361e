import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { supersedes, versionsAhead } from "../../../../src/domain/NewerBoard.ts"
import type { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"
import * as PostgresPair from "../../../support/engines/PostgresPair.ts"
import { until } from "../../../support/fixtures.ts"
import { by, operatorOn, serviceOn } from "./fixtures.ts"

const OPTIONS = { timeout: 60_000, concurrent: true } as const

/** How long anything may take that takes a second or two on a quiet machine. */
const PATIENCE = "15 seconds"

/** A player who presses on and repeats a press under its key until it is acknowledged; ends with the scope. */
const presses = Effect.fnUntraced(function* (sql: Sql["Service"], player: string) {
  const acknowledged: Array<string> = []
  const press = Effect.suspend(() => {
    const key = `${player}-${acknowledged.length}`
    return sql
      .increment([by(player, { key })])
      .pipe(
        Effect.retry(Schedule.spaced("50 millis")),
        Effect.andThen(Effect.sync(() => acknowledged.push(key))),
      )
  })
  yield* Effect.forkScoped(Effect.forever(press))
  return acknowledged
})

const total = (all: ReadonlyArray<ReadonlyArray<string>>) => all.reduce((sum, { length }) => sum + length, 0)

/** Which of the keys the server does not know. */
const missing = Effect.fnUntraced(function* (node: PostgresPair.PostgresNode, keys: ReadonlyArray<string>) {
  const operator = yield* operatorOn(node.url)
  const rows = yield* operator<{ readonly key: string }>`select key from idempotency_keys`
  const stored = new Set(rows.map(({ key }) => key))
  return keys.filter((key) => !stored.has(key))
})

describe("Sql when PostgreSQL fails over", () => {
  it.live(
    "follows the address to the new primary, though the old one answers as a standby, and loses nothing acknowledged",
    () =>
      Effect.gen(function* () {
        const pair = yield* PostgresPair.make
        const sql = yield* serviceOn(pair.url)
        yield* pair.first.synchronous
        const players = yield* Effect.forEach(["ada", "grace", "edsger", "barbara"], (player) =>
          presses(sql, player),
        )
        const count = Effect.sync(() => total(players))
        yield* until("everybody plays", count, (pressed) => pressed > 40, PATIENCE)
        yield* pair.first.crash
        yield* pair.second.promote
        yield* pair.first.rejoin
        // The address still leads to the old server, which answers every question.
        yield* until("the pools find a standby", Effect.exit(sql.ping), Exit.isFailure, PATIENCE)
        const board = yield* Effect.exit(sql.top(10))
        assert.isTrue(Exit.isFailure(board), "a board of a standby")
        const before = yield* count
        yield* Effect.sleep("500 millis")
        assert.strictEqual(yield* count, before)
        yield* pair.address.retarget(pair.second.port)
        yield* until("everybody plays again", count, (pressed) => pressed > before + 40, PATIENCE)
        yield* until("it is ready again", Effect.exit(sql.ping), Exit.isSuccess, PATIENCE)
        assert.deepStrictEqual(yield* missing(pair.second, players.flat()), [])
      }).pipe(Effect.scoped),
    OPTIONS,
  )

  it.live(
    "gives later boards than the old primary did, and still does, although commits were lost",
    () =>
      Effect.gen(function* () {
        const pair = yield* PostgresPair.make
        const left = yield* serviceOn(pair.first.url)
        yield* left.increment([by("ada")])
        yield* pair.caughtUp
        yield* pair.second.link.refuse
        for (let n = 0; n < 50; n++) yield* left.increment([by("ada")])
        const seen = yield* left.top(10)
        assert.deepInclude(seen.scores, { email: "ada@example.com", score: 51 })
        yield* pair.second.promote
        const moved = yield* serviceOn(pair.second.url)
        yield* moved.increment([by("ada")])
        const after = yield* moved.top(10)
        assert.deepInclude(after.scores, { email: "ada@example.com", score: 2 })
        assert.strictEqual(after.epoch, seen.epoch)
        assert.isTrue(supersedes(after, seen), `${seen.version} was seen, ${after.version} is there`)
        // One process was left behind, and goes on.
        for (let n = 0; n < 50; n++) yield* left.increment([by("ada")])
        assert.isBelow(versionsAhead(yield* left.top(10), after) ?? 0, 0)
      }).pipe(Effect.scoped),
    OPTIONS,
  )

  it.live(
    "acknowledges neither a commit nor its repeat before the synchronous standby has it",
    () =>
      Effect.gen(function* () {
        const pair = yield* PostgresPair.make
        const sql = yield* serviceOn(pair.url)
        yield* pair.first.synchronous
        yield* pair.second.link.stall
        const players = ["ada", "grace", "edsger", "barbara"]
        const acknowledged: Array<string> = []
        // Each press is repeated under its key, as players do: some repeats find the press committed.
        yield* Effect.forEach(
          players,
          (player) =>
            Effect.forEach(Array.from({ length: 3 }), () =>
              sql
                .increment([by(player, { key: player })])
                .pipe(Effect.andThen(Effect.sync(() => acknowledged.push(player))), Effect.exit),
            ),
          { concurrency: "unbounded" },
        )
        const stored = yield* pair.first.query<{ readonly key: string }>("select key from idempotency_keys")
        assert.isAbove(stored.length, 0, "some presses are committed on the primary")
        assert.deepStrictEqual(acknowledged, [])
        // An operator ends such a wait: PostgreSQL reports success.
        const ended = yield* Effect.forkChild(Effect.exit(sql.increment([by("radia", { key: "radia" })])))
        yield* until(
          "a commit that waits is cancelled",
          pair.first.query<{ readonly done: boolean }>(`
select pg_cancel_backend(pid) as done from pg_stat_activity where wait_event = 'SyncRep'`),
          (rows) => rows.length > 0,
        )
        assert.isTrue(Exit.isFailure(yield* Fiber.join(ended)))
        yield* pair.second.link.forward
        const outcomes = yield* Effect.forEach(stored, ({ key }) =>
          sql.increment([by(key, { key })]).pipe(Effect.retry(Schedule.spaced("50 millis"))),
        )
        for (const { outcomes: answered } of outcomes) {
          assert.deepStrictEqual(answered, [{ _tag: "Duplicate" }])
        }
        yield* pair.first.crash
        yield* pair.second.promote
        const keys = stored.map(({ key }) => key)
        assert.deepStrictEqual(yield* missing(pair.second, keys), [])
      }).pipe(Effect.scoped),
    OPTIONS,
  )

  it.live(
    "replaces every connection when one says that its server is read-only, and none before the end of its life",
    () =>
      Effect.gen(function* () {
        const { url } = yield* Postgres.make()
        const operator = yield* operatorOn(url)
        const clock = yield* Clock.Clock
        let laterNanos = 0n
        const sql = yield* serviceOn(url).pipe(
          Effect.provideService(Clock.Clock, {
            currentTimeMillis: clock.currentTimeMillis,
            currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
            currentTimeNanos: clock.currentTimeNanos,
            currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
            monotonicTimeNanos: clock.monotonicTimeNanos,
            sleep: (duration) => clock.sleep(duration),
            monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + laterNanos,
          }),
        )
        /** The server's processes behind the connections that read and that commit, after each was used. */
        const backends = Effect.gen(function* () {
          yield* sql.top(10)
          yield* sql.increment([by("ada")])
          const rows = yield* operator<{ readonly pid: number }>`
select pid from pg_stat_activity where application_name in ('scoreboard vital', 'scoreboard commit') order by pid`
          return rows.map(({ pid }) => pid)
        })
        const minutes = (count: number) => BigInt(count) * 60_000_000_000n

        const first = yield* backends
        assert.lengthOf(first, 2)
        laterNanos += minutes(8)
        assert.deepStrictEqual(yield* backends, first)
        laterNanos += minutes(4)
        const second = yield* backends
        assert.isEmpty(second.filter((pid) => first.includes(pid)))

        yield* operator`alter system set default_transaction_read_only = on`
        yield* operator`select pg_reload_conf()`
        // The server reloads a moment later, so a commit or two may still succeed.
        yield* until("commits fail", Effect.exit(sql.increment([by("ada")])), Exit.isFailure, PATIENCE)
        const keyed = sql.increment([by("ada", { key: "k" })])
        assert.isTrue(Exit.isFailure(yield* Effect.exit(keyed)))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(sql.ping)))
        // A primary that is read-only for a while has the newest board there is, and takes no logout.
        yield* sql.top(10)
        const logout = sql.revoke({ tokenId: "a token", expiresAtSeconds: 4_000_000_000 })
        assert.isTrue(Exit.isFailure(yield* Effect.exit(logout)))
        yield* operator`alter system reset default_transaction_read_only`
        yield* operator`select pg_reload_conf()`
        yield* until("it takes writes again", Effect.exit(sql.ping), Exit.isSuccess, PATIENCE)
        const { outcomes } = yield* keyed
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Counted"],
        )
        assert.isFalse(yield* logout, "it was refused before")
        assert.isTrue(yield* sql.refuses({ userId: by("ada").userId, tokenId: "a token" }))
        const third = yield* backends
        assert.isEmpty(third.filter((pid) => second.includes(pid)))
      }).pipe(Effect.scoped),
    OPTIONS,
  )
})
