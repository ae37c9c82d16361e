import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Statement } from "effect/sql/Statement"
import { UserId } from "../../domain/Score.ts"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import type { SqlFailure } from "./Sql.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { type ImportedScore, type ImportOutcome, type ImportRules, SqlImport } from "./SqlImport.ts"
import {
  addressStatement,
  addStatement,
  lookUpStatement,
  setStatement,
  UNDONE,
} from "./SqlImportStatements.ts"
import { operatorCall, operatorConnection } from "./SqlOperator.ts"
import { rolledBack, sqlState } from "./SqlRolledBack.ts"

/**
 * So long one statement waits for a row. Increments of the players whose rows the transaction locks already wait behind
 * it, and give up after half a second.
 */
const LOCK_TIMEOUT_MILLIS = 100

/**
 * A plan that is kept expects few scores, and would compare each of a thousand with every other; a plan of its own for
 * each statement takes a thousandth of the statement's time.
 */
const SETTINGS = {
  lock_timeout: String(LOCK_TIMEOUT_MILLIS),
  plan_cache_mode: "force_custom_plan",
}

/** Between two attempts, for those who waited behind the last one. */
const PAUSE_MILLIS = { least: 50, most: 150 }

/** A row that is locked for longer belongs to a transaction that somebody forgot. */
const WAIT_LIMIT = Duration.minutes(1)

const Found = Schema.Array(
  Schema.Struct({
    repeated: Schema.Boolean,
    stored: Schema.Boolean,
    addressed: Schema.Boolean,
    scored: Schema.Boolean,
  }),
)
const decodeFound = Schema.decodeUnknownEffect(Found)

const Claimed = Schema.Array(Schema.Struct({ userId: UserId }))
const decodeClaimed = Schema.decodeUnknownEffect(Claimed)

/** A score, and what would become of it at the moment of the look. */
interface Seen {
  readonly score: ImportedScore
  readonly outcome: ImportOutcome
  readonly lacksAddress: boolean
}

const lookUp = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  scores: ReadonlyArray<ImportedScore>,
): Effect.fn.Return<ReadonlyArray<Seen>, unknown> {
  if (scores.length === 0) return []
  const found = yield* Effect.orDie(decodeFound(yield* lookUpStatement(sql, scores)))
  return scores.flatMap((score, at) => {
    const row = found[at]
    if (row === undefined) return []
    const lacksAddress = row.stored && !row.addressed && score.email !== undefined
    const outcome = row.repeated
      ? "repeated"
      : !row.stored && score.email === undefined
        ? "unknown"
        : row.scored
          ? "set"
          : "added"
    return [{ score, outcome, lacksAddress }]
  })
})

/** Runs a statement. Gives the players whose scores it claimed and changed; undefined if it undid itself. */
const whole = (statement: Statement<object>) =>
  statement.pipe(
    Effect.flatMap((rows) => Effect.orDie(decodeClaimed(rows))),
    Effect.map((claimed): ReadonlySet<UserId> | undefined => new Set(claimed.map(({ userId }) => userId))),
    Effect.catchIf(
      (error) => sqlState(error) === UNDONE,
      () => Effect.undefined,
    ),
  )

/** Repeats what others held up, until a minute has passed. */
const patiently = <A, E>(attempt: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const since = yield* monotonicMillis
    for (;;) {
      const done = yield* Effect.result(attempt)
      if (done._tag === "Success") return done.success
      const reason = rolledBack(done.failure)
      const mayPass = reason === "lock" || reason === "deadlock" || reason === "serialization"
      if (!mayPass || (yield* monotonicMillis) - since > Duration.toMillis(WAIT_LIMIT)) {
        return yield* Effect.fail(done.failure)
      }
      yield* Effect.sleep(yield* Random.nextBetween(PAUSE_MILLIS.least, PAUSE_MILLIS.most))
    }
  })

/**
 * Adds, sets and stores addresses, one statement each, because each of them takes its locks in the order of a commit.
 * What could not be done as it was seen is looked at again.
 */
const apply = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  scores: ReadonlyArray<ImportedScore>,
  rules: ImportRules,
) {
  const outcomes = new Map<ImportedScore, ImportOutcome>()
  let left = scores
  while (left.length > 0) {
    const seen = yield* lookUp(sql, left)
    for (const { score, outcome } of seen) outcomes.set(score, outcome)
    left = []
    for (const { wanted, statementOf } of STEPS) {
      const wants = seen.filter(({ outcome }) => outcome === wanted).map(({ score }) => score)
      if (wants.length === 0) continue
      const claimed = yield* patiently(whole(statementOf(sql, wants, rules)))
      if (claimed === undefined) left = [...left, ...wants]
      // Another import of the same scores was quicker.
      else for (const score of wants) if (!claimed.has(score.userId)) outcomes.set(score, "repeated")
    }
    const addresses = seen.filter(({ lacksAddress }) => lacksAddress).map(({ score }) => score)
    if (rules.isVerified && addresses.length > 0) yield* patiently(addressStatement(sql, addresses))
  }
  return scores.map((score) => outcomes.get(score) ?? "repeated")
})

const STEPS = [
  { wanted: "added", statementOf: addStatement },
  { wanted: "set", statementOf: setStatement },
] as const

const onDatabase = Layer.effect(
  SqlImport,
  Effect.map(operatorConnection("scoreboard import", SETTINGS), (sql) =>
    SqlImport.of({
      plan: (scores) =>
        operatorCall("import")(Effect.map(lookUp(sql, scores), (seen) => seen.map(({ outcome }) => outcome))),
      apply: (scores, rules) => operatorCall("import")(apply(sql, scores, rules)),
    }),
  ),
).pipe(Layer.provide(Reactivity.layer))

/** Imports into the database at `url`, on one connection of its own. Applies the missing part of the schema first. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlImport, SqlFailure> =>
  onDatabase.pipe(Layer.provide(SqlDatabase.layerFrom(url)))

/** The same from `DATABASE_URL`, whose schema it never changes: it fails when something is missing. */
export const layer = onDatabase.pipe(Layer.provide(SqlDatabase.checkedLayer))
