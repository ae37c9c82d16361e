import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { UserId } from "../../../../src/domain/Score.ts"
import type { IncrementOutcome, Sql } from "../../../../src/services/Sql/Sql.ts"
import { INVARIANTS, violations } from "../../../support/invariants/Violations.ts"
import { by, Engine, rolledBack, setup } from "./fixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

const tagAndScore = (outcome: IncrementOutcome) =>
  outcome._tag === "Counted" ? [outcome._tag, outcome.score] : [outcome._tag]

const outcomes = (sql: Sql["Service"], batch: Parameters<Sql["Service"]["increment"]>[0]) =>
  Effect.map(sql.increment(batch), (answer) => answer.outcomes.map(tagAndScore))

const emails = (sql: Sql["Service"], limit = 10) =>
  Effect.map(sql.top(limit), ({ scores }) =>
    scores.map(({ email, score }) => `${email.split("@")[0]} ${score}`),
  )

layer(Engine.layer, OPTIONS)("Sql on PostgreSQL", (it) => {
  it.effect("answers each request of a batch in its place", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("hidden"), by("known", { email: "stored@example.com" })])
      yield* operator`update scores set hidden = true where user_id = 'hidden'`
      yield* operator`insert into revoked_tokens (jti, expires) values ('out', now() + interval '1 hour')`
      const answer = yield* sql.increment([
        by("new"),
        by("new", { key: "k" }),
        by("new", { key: "k" }),
        by("ghost", { email: undefined }),
        by("new", { tokenId: "out", key: "fresh" }),
        by("hidden", { key: "k" }),
        by("known", { email: "other@example.com", tokenId: "in" }),
        by("known", { email: undefined, key: "k" }),
      ])
      assert.deepStrictEqual(
        answer.outcomes.map((outcome) =>
          outcome._tag === "Counted" ? [outcome._tag, outcome.score, outcome.email] : [outcome._tag],
        ),
        [
          ["Counted", 1, "new@example.com"],
          ["Counted", 2, "new@example.com"],
          ["Duplicate"],
          ["UnknownPlayer"],
          ["Revoked"],
          ["Hidden"],
          ["Counted", 2, "stored@example.com"],
          ["Counted", 3, "stored@example.com"],
        ],
      )
      const stored = yield* operator`select id::text from outbox order by outbox.id desc limit 1`
      assert.deepStrictEqual(stored, [{ id: answer.outboxId }])
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("refuses a point beyond the largest score, and gives everybody else of the batch theirs", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada"), by("max")])
      const largest = Number.MAX_SAFE_INTEGER
      yield* operator`update scores set score = ${largest - 2} where user_id = 'max'`
      const batch = [by("ada"), by("max"), by("grace")]
      assert.deepStrictEqual((yield* outcomes(sql, batch))[1], ["Counted", largest - 1])
      // Two at once are one too many. Nothing is counted, and the caller tries one by one.
      const failure = yield* Effect.flip(sql.increment([by("max"), by("ada"), by("max")]))
      assert.strictEqual(failure.rolledBack, "data")
      assert.deepStrictEqual(yield* outcomes(sql, batch), [
        ["Counted", 3],
        ["Counted", largest],
        ["Counted", 2],
      ])
      assert.deepStrictEqual(yield* outcomes(sql, batch), [["Counted", 4], ["Full"], ["Counted", 3]])
      const { score, rank } = yield* sql.standing({ userId: by("max").userId, tokenId: undefined })
      assert.deepStrictEqual([score, rank], [largest, 1])
      const { scores, next } = yield* sql.page({ after: undefined, limit: 1 })
      assert.deepStrictEqual(scores, [{ rank: 1, email: "max@example.com", score: largest }])
      const second = yield* sql.page({ after: next ?? undefined, limit: 1 })
      assert.deepStrictEqual(second.scores, [{ rank: 2, email: "ada@example.com", score: 4 }])
    }),
  )

  it.effect("counts a key once, in one batch and over several, per player", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      const again = [by("ada", { key: "k" }), by("ada", { key: "k" }), by("grace", { key: "k" })]
      assert.deepStrictEqual(yield* outcomes(sql, again), [["Counted", 1], ["Duplicate"], ["Counted", 1]])
      assert.deepStrictEqual(yield* outcomes(sql, again), [["Duplicate"], ["Duplicate"], ["Duplicate"]])
      assert.deepStrictEqual(yield* emails(sql), ["ada 1", "grace 1"])
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("gives each increment of one player in one batch its own score", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      const batch = [by("ada"), by("grace"), by("ada"), by("ada", { key: "k" }), by("grace"), by("ada")]
      const scores = (rows: ReadonlyArray<ReadonlyArray<unknown>>) => rows.map(([, score]) => score)
      assert.deepStrictEqual(scores(yield* outcomes(sql, batch)), [1, 1, 2, 3, 2, 4])
      assert.deepStrictEqual(scores(yield* outcomes(sql, batch)), [5, 3, 6, undefined, 4, 7])
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("writes nothing for a batch in which nothing counts", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada", { key: "k" })])
      const tables = operator`select (select count(*) from outbox)::int o, (select count(*) from users)::int u, (select count(*) from idempotency_keys)::int k`
      const before = [yield* tables, yield* sql.top(10)]
      const answer = yield* sql.increment([by("ada", { key: "k" }), by("ghost", { email: undefined })])
      assert.strictEqual(answer.outcomes.length, 2)
      assert.isUndefined(answer.outboxId)
      assert.deepStrictEqual([yield* tables, yield* sql.top(10)], before)
      assert.deepStrictEqual(yield* sql.increment([]), { outcomes: [], outboxId: undefined })
    }),
  )

  it.effect("orders equal scores by who reached them first, then by id", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      assert.deepStrictEqual((yield* sql.top(10)).scores, [])
      yield* sql.increment([by("zoe"), by("ada"), by("max")])
      assert.deepStrictEqual(yield* emails(sql), ["zoe 1", "ada 1", "max 1"])
      yield* sql.increment([by("max"), by("zoe")])
      assert.deepStrictEqual(yield* emails(sql), ["max 2", "zoe 2", "ada 1"])
      yield* operator`update scores set score = 5, reached = 1`
      assert.deepStrictEqual(yield* emails(sql, 2), ["ada 5", "max 5"])
    }),
  )

  const CHANGES: ReadonlyArray<readonly [moves: boolean, statement: string]> = [
    [true, "update scores set score = score + 1 where user_id = 'ada'"],
    [true, "update scores set hidden = true"],
    [true, "insert into scores (user_id, score, reached) values ('grace', 1, 99)"],
    [true, "delete from scores where user_id = 'ada'"],
    [true, "truncate scores"],
    [true, "update users set email = 'new@example.com'"],
    [false, "update users set email = email"],
    [false, "update scores set score = 9 where user_id = 'nobody'"],
    [false, "delete from scores where user_id = 'nobody'"],
  ]
  for (const [moves, statement] of CHANGES) {
    it.effect(`${moves ? "moves" : "leaves"} the version with: ${statement}`, () =>
      Effect.gen(function* () {
        const { sql, operator } = yield* setup
        yield* sql.increment([by("ada")])
        const before = yield* sql.top(10)
        yield* operator.unsafe(statement)
        const after = yield* sql.top(10)
        assert.strictEqual(after.epoch, before.epoch)
        if (moves) {
          assert.isAbove(after.version, before.version)
          assert.isAtLeast(after.committedAt, before.committedAt)
        } else assert.deepStrictEqual(after, before)
      }),
    )
  }

  it.effect("leaves the version with what is rolled back", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      const before = yield* sql.top(10)
      for (const statement of ["update scores set score = 9", "delete from scores", "truncate scores"]) {
        yield* rolledBack(operator, operator.unsafe(statement))
        assert.deepStrictEqual(yield* sql.top(10), before, statement)
      }
    }),
  )

  it.effect("moves the version once per counting batch, and with a changed address only", () =>
    Effect.gen(function* () {
      const { sql } = yield* setup
      const version = Effect.map(sql.top(10), (board) => board.version)
      yield* sql.increment([by("ada"), by("grace"), by("ada")])
      const first = yield* version
      yield* sql.increment([by("ada"), by("new"), by("grace"), by("new")])
      const second = yield* version
      // An upsert that inserts and updates is two changes.
      assert.isAtMost(second - first, 2)
      yield* sql.register(UserId.make("ada"), "ada@example.com")
      yield* sql.register(UserId.make("nobody"), "nobody@example.com")
      assert.strictEqual(yield* version, second)
      yield* sql.register(UserId.make("ada"), "ada@other.example.com")
      assert.isAbove(yield* version, second)
      assert.strictEqual((yield* sql.top(1)).scores[0]?.email, "ada@other.example.com")
    }),
  )

  it.effect("takes hidden players off the board and the ranks, and back", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada"), by("ada"), by("grace")])
      const node = operator`select sum(c1)::int as one, sum(c2)::int as two from rank_node where level = 0 and block = 0`
      assert.deepStrictEqual(yield* node, [{ one: 2, two: 1 }])
      yield* operator`update scores set hidden = true where user_id = 'ada'`
      assert.deepStrictEqual(yield* emails(sql), ["grace 1"])
      assert.deepStrictEqual(yield* node, [{ one: 1, two: 0 }])
      assert.deepStrictEqual(yield* outcomes(sql, [by("ada"), by("grace")]), [["Hidden"], ["Counted", 2]])
      yield* operator`update scores set hidden = false where user_id = 'ada'`
      assert.deepStrictEqual(yield* emails(sql), ["ada 2", "grace 2"])
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("keeps the history append-only", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      for (const statement of [
        "update score_events set amount = 2",
        "delete from score_events",
        "truncate score_events",
      ]) {
        const error = yield* Effect.flip(operator.unsafe(statement))
        assert.match(String(error.reason.cause), /append-only/, statement)
      }
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )

  it.effect("pages through a history, newest first, without a gap", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      const userId = UserId.make("ada")
      for (let n = 0; n < 5; n++) yield* sql.increment([by("ada"), by("grace")])
      const page = (after: string | undefined) => sql.history({ userId, tokenId: "t", after, limit: 2 })
      const first = yield* page(undefined)
      const second = yield* page(first.entries.at(-1)?.id)
      const third = yield* page(second.entries.at(-1)?.id)
      const all = [first, second, third].flatMap(({ entries }) => entries)
      assert.deepStrictEqual(
        all.map(({ score }) => score),
        [5, 4, 3, 2, 1],
      )
      assert.isTrue(
        all.every(({ amount, at }) => amount === 1 && !Number.isNaN(Date.parse(at)) && at.endsWith("Z")),
      )
      assert.deepStrictEqual([first.score, first.revoked], [5, false])
      yield* operator`insert into revoked_tokens values ('t', now())`
      assert.isTrue((yield* page(undefined)).revoked)
      const nobody = yield* sql.history({
        userId: UserId.make("nobody"),
        tokenId: undefined,
        after: undefined,
        limit: 2,
      })
      assert.deepStrictEqual(nobody, { revoked: false, score: 0, entries: [] })
    }),
  )

  it.effect("fails on a board that is not valid, and gives the next one", () =>
    Effect.gen(function* () {
      const { sql, operator } = yield* setup
      yield* sql.increment([by("ada")])
      yield* operator`alter table scores disable trigger user`
      yield* operator`alter table scores drop constraint scores_score_exact`
      yield* operator`update scores set score = 9007199254740993`
      const failure = yield* Effect.flip(sql.top(10))
      assert.deepStrictEqual([failure._tag, failure.operation], ["SqlFailure", "top"])
      yield* operator`update scores set score = 1`
      assert.deepStrictEqual(yield* emails(sql), ["ada 1"])
    }),
  )

  it.effect("has invariants that notice each planted fault", () =>
    Effect.gen(function* () {
      const { operator, sql } = yield* setup
      yield* sql.increment([by("ada", { key: "k" }), by("ada"), by("grace")])
      const FAULTS: ReadonlyArray<readonly [invariant: string, fault: string]> = [
        ["sum of scores", "update scores set score = score + 1 where user_id = 'ada'"],
        ["history without a gap", "update score_events set score_after = 9 where user_id = 'grace'"],
        ["a key once", "update score_events set key = 'k'"],
        ["keys and history", "delete from idempotency_keys"],
        ["outbox and history", "delete from outbox"],
        ["ranks", "update rank_node set c3 = coalesce(c3, 0) + 1"],
        ["a player for each score", "delete from users where id = 'ada'"],
      ]
      assert.deepStrictEqual(
        FAULTS.map(([name]) => name),
        Object.keys(INVARIANTS),
      )
      for (const [name, fault] of FAULTS) {
        const planted = Effect.andThen(
          Effect.andThen(
            operator`alter table score_events disable trigger append_only`,
            operator.unsafe(fault),
          ),
          violations(operator),
        )
        assert.include((yield* rolledBack(operator, planted))?.join(", "), name, fault)
      }
      assert.deepStrictEqual(yield* violations(operator), [])
    }),
  )
})
