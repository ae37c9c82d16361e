import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { UserId } from "../../../../src/domain/Score.ts"
import { violations } from "../../../support/invariants/Violations.ts"
import {
  ADA,
  act,
  anyAct,
  GRACE,
  history,
  standings,
  whileHeld,
  whileLocked,
  withOperators,
  withoutUndone,
} from "./correctionsFixtures.ts"
import { by, Engine, serviceOn } from "./fixtures.ts"
import { numbers } from "./ranksFixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

layer(Engine.layer, OPTIONS)("Corrections on PostgreSQL, many at once,", (it) => {
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

  it.effect("under one key of two players do not deadlock with the commit of a first increment of both", () =>
    Effect.gen(function* () {
      const { sql, operator, one, two } = yield* withOperators
      yield* sql.increment([by("grace")])
      yield* sql.register(ADA, "ada@example.com")
      const correct = (who: typeof one, userId: UserId) =>
        who.correct({ amount: 5, key: "ticket-17" }, act(userId))
      // As the commit of a batch: ada's first point, then one more for grace.
      const outcomes = yield* whileHeld(
        operator,
        operator`
with event as (select nextval('event_id') as id),
changed as (insert into scores (user_id, score, reached) select 'ada', 1, id from event)
insert into score_events (user_id, id, amount, score_after) select 'ada', id, 1, 1 from event`,
        ({ release, waiting }) =>
          Effect.gen(function* () {
            const first = yield* Effect.forkChild(correct(one, ADA))
            yield* waiting(1)
            const second = yield* Effect.forkChild(correct(two, GRACE))
            yield* waiting(2)
            yield* release(operator`
with event as (select nextval('event_id') as id),
changed as (update scores set score = 2, reached = id from event where user_id = 'grace')
insert into score_events (user_id, id, amount, score_after) select 'grace', id, 1, 2 from event`)
            return [yield* Fiber.join(first), yield* Fiber.join(second)]
          }),
      )
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Corrected", "KeyTaken"],
      )
      assert.deepStrictEqual(
        (yield* standings(operator)).map(({ user, score }) => [user, score]),
        [
          ["ada", 6],
          ["grace", 2],
        ],
      )
    }),
  )

  it.effect("are undone with the points of a commit that they waited for", () =>
    Effect.gen(function* () {
      const { sql, operator, one } = yield* withOperators
      yield* sql.increment([by("ada")])
      const [raised] = [
        yield* one.correct({ amount: 2, key: undefined }, act(ADA)),
        yield* one.correct({ amount: -3, key: undefined }, act(ADA)),
      ]
      assert(raised._tag === "Corrected")
      const outcome = yield* whileHeld(
        operator,
        operator`
with event as (select nextval('event_id') as id),
changed as (update scores set score = 2, reached = id from event where user_id = 'ada')
insert into score_events (user_id, id, amount, score_after, kind, actor) select 'ada', id, 2, 2, 'imported', 'linus' from event`,
        ({ release, waiting }) =>
          Effect.gen(function* () {
            const undoing = yield* Effect.forkChild(one.undo(raised.eventId, act(ADA)))
            yield* waiting(1)
            yield* release(Effect.void)
            return yield* Fiber.join(undoing)
          }),
      )
      assert.include(outcome, { _tag: "Undone", score: 0 })
      assert.deepStrictEqual(yield* standings(operator), withoutUndone(yield* history(operator)))
      assert.deepStrictEqual(yield* violations(operator), [])
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
