import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HIGHEST_SET_SCORE, UserId } from "../../../../src/domain/Score.ts"
import { violations } from "../../../support/invariants/Violations.ts"
import {
  ADA,
  act,
  anyAct,
  GRACE,
  history,
  standings,
  whileLocked,
  withOperators,
  withoutUndone,
} from "./correctionsFixtures.ts"
import { by, Engine, serviceOn } from "./fixtures.ts"
import { numbers } from "./ranksFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("Corrections on PostgreSQL", (it) => {
  it.effect(
    "gives an amount beyond int as it is, and keeps the nearest int for code of earlier releases",
    () =>
      Effect.gen(function* () {
        const { sql, operator, one } = yield* withOperators
        const userId = ADA
        yield* sql.increment([by("ada")])
        yield* operator`
insert into score_events (user_id, id, amount, points, score_after, kind, actor) values
  ('ada', nextval('event_id'), 2147483647, 9007199254740990, 9007199254740991, 'corrected', 'grace'),
  ('ada', nextval('event_id'), -2147483648, -9007199254740990, 1, 'corrected', 'grace')`
        const { entries } = yield* sql.history({ userId, tokenId: "t", after: undefined, limit: 3 })
        const amounts = [-9_007_199_254_740_990, 9_007_199_254_740_990, 1]
        assert.deepStrictEqual(
          entries.map(({ amount }) => amount),
          amounts,
        )
        const exported = yield* one.exportHistory({ userId, after: undefined, limit: 3 })
        assert.deepStrictEqual(
          exported.map(({ amount }) => amount),
          amounts.toReversed(),
        )
        assert.deepStrictEqual(yield* violations(operator), [])
        for (const [amount, points] of [
          [0, "2147483648"],
          [1, "2"],
        ]) {
          const insert = operator`
insert into score_events (user_id, id, amount, points, score_after) values ('ada', nextval('event_id'), ${amount}, ${points}::bigint, 1)`
          assert.include(String((yield* Effect.flip(insert)).reason.cause), "points_check")
        }
      }),
  )

  it.effect(
    "under a key count once, also at the same moment, and a key of another correction is refused",
    () =>
      Effect.gen(function* () {
        const { sql, operator, one, two } = yield* withOperators
        yield* sql.increment([by("ada"), by("grace")])
        const correct = (who: typeof one, amount: number, userId = ADA) =>
          who.correct({ amount, key: "ticket-17" }, act(userId))
        // What is refused leaves the key free.
        assert.deepStrictEqual(yield* correct(one, -2), { _tag: "OutOfRange" })
        const both = yield* whileLocked(
          operator,
          2,
          Effect.all([correct(one, 41), correct(two, 41)], { concurrency: 2 }),
        )
        const [first] = both
        assert(first._tag === "Corrected")
        const { eventId } = first
        assert.deepStrictEqual(
          both.toSorted(
            (a, b) => Number("repeated" in a && a.repeated) - Number("repeated" in b && b.repeated),
          ),
          [
            { _tag: "Corrected", eventId, score: 42, repeated: false },
            { _tag: "Corrected", eventId, score: 42, repeated: true },
          ],
        )
        yield* sql.increment([by("ada")])
        assert.deepStrictEqual(yield* correct(two, 41), {
          _tag: "Corrected",
          eventId,
          score: 42,
          repeated: true,
        })
        const taken = { _tag: "KeyTaken", eventId, userId: ADA, amount: 41 } as const
        assert.deepStrictEqual(yield* correct(two, 42), taken)
        assert.deepStrictEqual(yield* correct(two, 41, GRACE), taken)
        const all = { amount: -43, key: "all" }
        assert.include(yield* one.correct(all, act(ADA)), { _tag: "Corrected", score: 0, repeated: false })
        assert.include(yield* one.correct(all, act(ADA)), { _tag: "Corrected", score: 0, repeated: true })
        // A client's key is another one.
        yield* sql.increment([by("ada", { key: "ticket-17" })])
        assert.deepStrictEqual(
          (yield* history(operator)).map(({ user, points }) => [user, points]),
          [
            ["ada", 1],
            ["grace", 1],
            ["ada", 41],
            ["ada", 1],
            ["ada", -43],
            ["ada", 1],
          ],
        )
        assert.deepStrictEqual(yield* violations(operator), [])
      }),
  )

  it.effect("stop before a score at which an increment would fail, and lower one that is beyond", () =>
    Effect.gen(function* () {
      const { sql, operator, one } = yield* withOperators
      yield* sql.increment([by("ada")])
      // Without the triggers, which write a row of the levels for each point.
      yield* operator`alter table scores disable trigger user`
      const correct = (amount: number) => one.correct({ amount, key: undefined }, act(ADA))
      assert.deepStrictEqual(yield* correct(HIGHEST_SET_SCORE), { _tag: "OutOfRange" })
      const top = yield* correct(HIGHEST_SET_SCORE - 1)
      assert(top._tag === "Corrected")
      assert.strictEqual(top.score, HIGHEST_SET_SCORE)
      yield* sql.increment([by("ada"), by("ada")])
      assert.deepStrictEqual(yield* correct(1), { _tag: "OutOfRange" })
      assert.include(yield* correct(-1), { score: HIGHEST_SET_SCORE + 1 })
      assert.include(yield* one.undo(top.eventId, act(ADA)), { amount: 1 - HIGHEST_SET_SCORE, score: 2 })
      assert.deepStrictEqual(yield* standings(operator), withoutUndone(yield* history(operator)))
    }),
  )

  it.effect("that are undone at the same moment leave the place that neither of them made", () =>
    Effect.gen(function* () {
      const { sql, operator, one, two } = yield* withOperators
      for (const undoings of [
        [0, 1],
        [1, 0],
        [1, 1],
      ]) {
        yield* sql.increment([by("ada"), by("grace")])
        const made = [
          yield* one.correct({ amount: 3, key: undefined }, act(ADA)),
          yield* one.correct({ amount: -1, key: undefined }, act(ADA)),
        ].map((outcome) => ("eventId" in outcome ? outcome.eventId : ""))
        const outcomes = yield* whileLocked(
          operator,
          2,
          Effect.all(
            undoings.map((n, who) => (who === 0 ? one : two).undo(made[n] ?? "", act(ADA))),
            { concurrency: 2 },
          ),
        )
        const same = undoings[0] === undoings[1]
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag).toSorted(),
          same ? ["Undone", "UndoneAlready"] : ["Undone", "Undone"],
        )
        assert.deepStrictEqual(yield* standings(operator), withoutUndone(yield* history(operator)))
      }
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("that are undone in any order give back a place that no event of the history made", () =>
    Effect.gen(function* () {
      const { operator, one, sql } = yield* withOperators
      yield* sql.register(ADA, "ada@example.com")
      const initial = { user: "ada", score: 5, reached: "-7" }
      yield* operator`insert into scores (user_id, score, reached) values ('ada', 5, -7)`
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 0, 2],
        [0, 2, 1],
      ]) {
        const made: Array<string> = []
        for (const amount of [3, -2, 1]) {
          const outcome = yield* one.correct({ amount, key: undefined }, act(ADA))
          assert(outcome._tag === "Corrected")
          made.push(outcome.eventId)
        }
        for (const n of order) {
          assert.strictEqual((yield* one.undo(made[n] ?? "", act(ADA)))._tag, "Undone")
        }
        assert.deepStrictEqual(yield* standings(operator), [initial])
      }
    }),
  )

  it.effect("of an earlier release are undone by what the history says", () =>
    Effect.gen(function* () {
      const { operator, one, sql } = yield* withOperators
      yield* sql.increment([by("ada"), by("ada"), by("grace")])
      yield* operator`
with event as materialized (select nextval('event_id') as id),
changed as (update scores set score = score + 5, reached = id from event where user_id = 'ada' returning user_id, score)
insert into score_events (user_id, id, amount, score_after, kind, reason, actor)
  select user_id, id, 5, score, 'corrected', 'a test', 'linus' from changed, event`
      const corrected = (yield* history(operator)).at(-1)?.id ?? ""
      yield* one.undo(corrected, act(ADA))
      assert.deepStrictEqual(yield* standings(operator), withoutUndone(yield* history(operator)))
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  for (const seed of [1, 2, 3]) {
    it.effect(
      `that are undone leave every player where the history without them puts them (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const { sql, operator, one } = yield* withOperators
          const number = numbers(seed)
          const players = ["a", "b", "c"].map((id) => UserId.make(id))
          for (const id of players) yield* sql.register(id, `${id}@example.com`)
          for (let step = 0; step < 90; step++) {
            const events = yield* history(operator)
            if (number(4) !== 0) {
              yield* anyAct({ number, players, sql, one })
              continue
            }
            // Any event of anybody: often no correction, of another player, or undone before.
            const corrected = number(5) === 0 ? events : events.filter(({ kind }) => kind === "corrected")
            const event = corrected[number(corrected.length)]
            if (event === undefined) continue
            const whose = number(8) === 0 ? (players[0] ?? ADA) : UserId.make(event.user)
            const outcome = yield* one.undo(event.id, act(whose))
            const before = withoutUndone(events).find(({ user }) => user === whose)?.score ?? 0
            assert.strictEqual(
              outcome._tag,
              event.user !== whose || event.kind !== "corrected"
                ? "NotACorrection"
                : events.some(({ undoes }) => undoes === event.id)
                  ? "UndoneAlready"
                  : before - event.points < 0
                    ? "OutOfRange"
                    : "Undone",
            )
            assert.deepStrictEqual(yield* standings(operator), withoutUndone(yield* history(operator)))
          }
          const kinds = new Set((yield* history(operator)).map(({ kind }) => kind))
          assert.isTrue(kinds.has("undone") && kinds.has("corrected"))
          assert.deepStrictEqual(yield* violations(operator), [])
        }),
    )
  }

  it.effect("by several operators beside increments never deadlock, and each is made and undone once", () =>
    Effect.gen(function* () {
      const { sql, operator, one, two, url } = yield* withOperators
      const other = yield* serviceOn(url)
      const players = ["a", "b", "c", "d"].map((id) => UserId.make(id))
      for (const id of players) yield* sql.register(id, `${id}@example.com`)
      const beside = (seed: number, who: typeof one, service: typeof sql) =>
        Effect.gen(function* () {
          const number = numbers(seed)
          for (let n = 0; n < 60; n++) {
            yield* anyAct({ number, players, sql: service, one: who })
            if (number(2) === 0) continue
            const corrections = (yield* history(operator)).filter(({ kind }) => kind === "corrected")
            // The last ones: two operators choose the same one now and then.
            const event = corrections.at(-1 - number(3))
            if (event !== undefined) yield* who.undo(event.id, act(UserId.make(event.user)))
          }
        })
      yield* Effect.all(
        [beside(1, one, sql), beside(2, two, other), beside(3, one, other), beside(4, two, sql)],
        { concurrency: "unbounded" },
      )
      const events = yield* history(operator)
      const undone = events.flatMap(({ undoes }) => undoes ?? [])
      assert.isAbove(undone.length, 5)
      assert.strictEqual(new Set(undone).size, undone.length)
      assert.deepStrictEqual(
        yield* operator`select key from score_events where kind = 'corrected' and key is not null group by key having count(*) > 1`,
        [],
      )
      // Events of one player may be numbered in another order than they happened, so only the score is certain.
      assert.deepStrictEqual(
        (yield* standings(operator)).map(({ user, score }) => [user, score]),
        withoutUndone(events).map(({ user, score }) => [user, score]),
      )
      for (const { user, reached } of yield* standings(operator)) {
        const isUndone = undone.includes(reached)
        const others = events.filter(
          (event) =>
            event.user === user &&
            event.points !== 0 &&
            event.kind !== "undone" &&
            !undone.includes(event.id),
        )
        assert.isTrue(!isUndone || others.length === 0, `${user} is placed by an undone correction`)
      }
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )
})
