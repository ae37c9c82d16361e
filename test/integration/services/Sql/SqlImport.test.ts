import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { UserId } from "../../../../src/domain/Score.ts"
import type { ImportedScore, ImportOutcome } from "../../../../src/services/Sql/SqlImport.ts"
import { by, Engine, operatorOn, serviceOn } from "./fixtures.ts"
import { consistent, importOn, openImport, RULES, scoreOf, state } from "./importFixtures.ts"
import { numbers } from "./ranksFixtures.ts"

/** Of each seed, the highest score that is imported. */
const HIGHEST_SCORES = [
  { seed: 1, highest: 39 },
  { seed: 2, highest: 39 },
]

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("SqlImport", (it) => {
  it.effect("sets scores, adds players, and writes the difference to the history", () =>
    Effect.gen(function* () {
      const { sql, operator, imports } = yield* openImport
      yield* sql.increment([by("b"), by("b"), by("b"), by("c")])
      yield* sql.register(UserId.make("d"), "stored@example.com")
      const scores = [
        scoreOf("a", 5),
        scoreOf("b", 1),
        scoreOf("c", 1, { email: undefined }),
        scoreOf("d", 9),
        scoreOf("e", 0),
        scoreOf("f", 4, { email: undefined }),
      ]
      const outcomes: ReadonlyArray<ImportOutcome> = ["added", "set", "set", "added", "added", "unknown"]
      assert.deepStrictEqual(yield* imports.plan(scores), outcomes)
      assert.strictEqual((yield* state(operator)).length, 2)
      assert.deepStrictEqual(yield* imports.apply(scores, RULES), outcomes)
      const after = [
        { id: "a", score: 5, history: ["imported 5"] },
        { id: "b", score: 1, history: ["increment 1", "increment 1", "increment 1", "imported -2"] },
        { id: "c", score: 1, history: ["increment 1", "imported 0"] },
        { id: "d", score: 9, history: ["imported 9"] },
        { id: "e", score: 0, history: ["imported 0"] },
      ]
      assert.deepStrictEqual(yield* state(operator), after)
      assert.deepStrictEqual(
        yield* operator`select distinct actor, reason, key from score_events where kind = 'imported'`,
        [{ actor: "ada", reason: "players.csv", key: null }],
      )
      assert.deepStrictEqual(
        (yield* operator<{
          readonly email: string
        }>`select email from users order by id`).map(({ email }) => email),
        ["a@example.com", "b@example.com", "c@example.com", "stored@example.com", "e@example.com"],
      )
      yield* consistent(operator)

      yield* sql.increment([by("a"), by("b")])
      const repeated = outcomes.map((outcome) => (outcome === "unknown" ? outcome : "repeated"))
      assert.deepStrictEqual(yield* imports.plan(scores), repeated)
      assert.deepStrictEqual(yield* imports.apply(scores.toReversed(), RULES), repeated.toReversed())
      assert.deepStrictEqual(
        (yield* state(operator)).map(({ score }) => score),
        [6, 2, 1, 9, 0],
      )
      yield* consistent(operator)
      assert.deepStrictEqual(yield* imports.apply([], RULES), [])
    }),
  )

  it.effect("moves the version of the board with every transaction, and keeps hidden players hidden", () =>
    Effect.gen(function* () {
      const { sql, operator, imports } = yield* openImport
      yield* sql.increment([by("a"), by("b")])
      yield* operator`update scores set hidden = true where user_id = 'a'`
      const before = yield* sql.top(10)
      yield* imports.apply([scoreOf("a", 7), scoreOf("b", 3)], RULES)
      const after = yield* sql.top(10)
      assert.isAbove(after.version, before.version)
      assert.deepStrictEqual(after.scores, [{ email: "b@example.com", score: 3 }])
      assert.deepStrictEqual(
        yield* operator`select hidden, score::int as score from scores where user_id = 'a'`,
        [{ hidden: true, score: 7 }],
      )
      yield* imports.apply([scoreOf("a", 7), scoreOf("b", 3)], RULES)
      assert.strictEqual((yield* sql.top(10)).version, after.version)
      yield* consistent(operator)
    }),
  )

  it.effect(
    "orders equal scores by the time in the other game, then by line, and before those who reach them later",
    () =>
      Effect.gen(function* () {
        const { sql, operator, imports } = yield* openImport
        yield* sql.increment([by("before"), by("before")])
        yield* imports.apply([scoreOf("z", 2), scoreOf("line 1", 2)], RULES)
        const at = (text: string) => ({ reachedAtMicros: Number(text) })
        yield* imports.apply(
          [
            scoreOf("late", 2, at("1790000000000001")),
            scoreOf("line 2", 2),
            scoreOf("first", 2, at("0")),
            scoreOf("early", 2, at("1790000000000000")),
          ],
          RULES,
        )
        yield* sql.increment([by("after"), by("after")])
        const order = ["first", "early", "late", "before", "z", "line 1", "line 2", "after"]
        const emails = (yield* sql.top(10)).scores.map(({ email }) => email)
        assert.deepStrictEqual(
          emails,
          order.map((player) => `${player}@example.com`),
        )
        // Pages continue behind a score that was reached in the other game.
        const pages: Array<string> = []
        for (let after: string | null | undefined; after !== null;) {
          const page = yield* sql.page({ after, limit: 3 })
          pages.push(...page.scores.map(({ email }) => email))
          after = page.next
        }
        assert.deepStrictEqual(pages, emails)
        yield* consistent(operator)
      }),
  )

  it.effect(
    "stores no address that is not verified; the player's next verified one is stored and shown",
    () =>
      Effect.gen(function* () {
        const { sql, operator, imports } = yield* openImport
        const rules = { ...RULES, isVerified: false }
        const players = ["a", "b", "c", "d"]
        yield* imports.apply(
          players.map((player) => scoreOf(player, 3)),
          rules,
        )
        const stored = Effect.map(
          operator<{ readonly email: string }>`select email from users order by id`,
          (rows) => rows.map(({ email }) => email),
        )
        assert.deepStrictEqual(yield* stored, ["", "", "", ""])
        const { outcomes } = yield* sql.increment([by("a"), by("b", { email: undefined }), by("a"), by("a")])
        assert.deepStrictEqual(
          outcomes.map((outcome) => (outcome._tag === "Counted" ? outcome.email : outcome._tag)),
          ["a@example.com", "UnknownPlayer", "a@example.com", "a@example.com"],
        )
        yield* sql.register(UserId.make("b"), "own@example.com")
        assert.strictEqual(
          (yield* sql.increment([by("b", { email: undefined })])).outcomes[0]?._tag,
          "Counted",
        )
        // The same file, now with addresses that count: nobody's score moves, and nobody's own address is replaced.
        const { version } = yield* sql.top(10)
        const again = players.map((player) => scoreOf(player, 3, player === "d" ? { email: undefined } : {}))
        assert.deepStrictEqual(
          yield* imports.apply(again, RULES),
          players.map(() => "repeated"),
        )
        assert.deepStrictEqual(yield* stored, ["a@example.com", "own@example.com", "c@example.com", ""])
        assert.isAbove((yield* sql.top(10)).version, version)
        assert.deepStrictEqual(
          (yield* state(operator)).map(({ score }) => score),
          [6, 4, 3, 3],
        )
        yield* consistent(operator)
      }),
  )

  it.effect("waits for rows that somebody locks for longer than one attempt, and loses nothing", () =>
    Effect.gen(function* () {
      const { sql, operator, imports } = yield* openImport
      yield* sql.increment([by("a"), by("b")])
      const locked = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(
        operator.withTransaction(
          operator`update scores set score = score + 4 where user_id = 'b'`.pipe(
            Effect.andThen(
              operator`insert into score_events (user_id, id, amount, score_after, kind, actor) values ('b', nextval('event_id'), 4, 5, 'corrected', 'ada')`,
            ),
            Effect.andThen(Deferred.succeed(locked, undefined)),
            Effect.andThen(Effect.sleep("600 millis")),
          ),
        ),
      )
      yield* Deferred.await(locked)
      const outcomes = yield* imports.apply([scoreOf("a", 10), scoreOf("b", 10), scoreOf("c", 10)], RULES)
      assert.deepStrictEqual(outcomes, ["set", "set", "added"])
      yield* Fiber.join(holder)
      assert.deepStrictEqual(
        (yield* state(operator)).map(({ history }) => history.at(-1)),
        ["imported 9", "imported 5", "imported 10"],
      )
      yield* consistent(operator)
    }),
  )

  it.effect("looks again when a player presses for the first time between the look and the import", () =>
    Effect.gen(function* () {
      const { sql, operator, imports } = yield* openImport
      yield* sql.register(UserId.make("b"), "b@example.com")
      const pressed = yield* Deferred.make<void>()
      // The first press of b is not committed yet: the look does not see it, and the import waits for it.
      const press = yield* Effect.forkChild(
        operator.withTransaction(
          operator`insert into scores (user_id, score, reached) values ('b', 1, nextval('event_id'))`.pipe(
            Effect.andThen(
              operator`insert into score_events (user_id, id, amount, score_after) values ('b', nextval('event_id'), 1, 1)`,
            ),
            Effect.andThen(Deferred.succeed(pressed, undefined)),
            Effect.andThen(Effect.sleep("300 millis")),
          ),
        ),
      )
      yield* Deferred.await(pressed)
      const outcomes = yield* imports.apply([scoreOf("a", 2), scoreOf("b", 4)], RULES)
      assert.deepStrictEqual(outcomes, ["added", "set"])
      yield* Fiber.join(press)
      assert.deepStrictEqual(
        (yield* state(operator)).map(({ history }) => history),
        [["imported 2"], ["increment 1", "imported 3"]],
      )
      yield* consistent(operator)
    }),
  )

  for (const { seed, highest } of HIGHEST_SCORES) {
    it.effect(
      `two imports of the same scores to ${highest} beside increments and hides: each score once, no press lost or doubled (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const number = numbers(seed)
          const { url, sql, operator, imports } = yield* openImport
          const other = { sql: yield* serviceOn(url), imports: yield* importOn(url) }
          const operators = yield* operatorOn(url)
          const player = () => `player ${number(30)}`
          const counted = new Map<string, number>()
          const outcomes = { added: 0, set: 0, repeated: 0, unknown: 0 }
          const writer = (process: typeof sql) =>
            Effect.gen(function* () {
              const batch = Array.from({ length: 1 + number(8) }, () =>
                by(player(), { key: number(2) === 0 ? undefined : `key ${number(500)}` }),
              )
              const answer = yield* process.increment(batch)
              for (const [at, { userId }] of batch.entries()) {
                if (answer.outcomes[at]?._tag === "Counted")
                  counted.set(userId, (counted.get(userId) ?? 0) + 1)
              }
            })
          const importer = (process: typeof imports, file: ReadonlyArray<ImportedScore>) =>
            Effect.map(process.apply(file, RULES), (all) => {
              for (const outcome of all) outcomes[outcome]++
            })
          const lines = new Set<string>()
          for (let round = 0; round < 12; round++) {
            const players = new Set(Array.from({ length: 20 }, player))
            const file = [...players].map((id) => scoreOf(id, Math.floor((number(40) / 39) * highest)))
            for (const { userId, score } of file) lines.add(`${userId} ${score}`)
            yield* Effect.all(
              [
                importer(imports, file),
                importer(other.imports, file.toReversed()),
                Effect.repeat(writer(sql), { times: 4 }),
                Effect.repeat(writer(other.sql), { times: 4 }),
                operators`update scores set hidden = not hidden where user_id = ${player()}`,
              ],
              { concurrency: "unbounded", discard: true },
            )
            yield* consistent(operator)
          }
          assert.strictEqual(outcomes.added + outcomes.set, lines.size)
          const presses = yield* operator<{ readonly id: string; readonly presses: number }>`
select user_id as id, count(*)::int as presses from score_events where kind = 'increment' group by 1`
          assert.deepStrictEqual(
            Object.fromEntries(presses.map(({ id, presses: times }) => [id, times])),
            Object.fromEntries(counted),
          )
        }),
    )
  }
})
