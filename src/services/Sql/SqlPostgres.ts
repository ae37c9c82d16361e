import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Reactivity from "effect/reactivity/Reactivity"
import { Sql, SqlFailure } from "./Sql.ts"
import { migrate } from "./SqlMigrations.ts"
import { correctScore, exportHistory, findPlayers, setHidden } from "./SqlModeration.ts"
import { bounded, CALL_LIMIT_MILLIS, openPools } from "./SqlPools.ts"
import { pruneKeys } from "./SqlPruning.ts"
import { selectPage, selectStanding } from "./SqlRanks.ts"
import { pruneRevoked, revokeToken } from "./SqlRevocation.ts"
import { rolledBack } from "./SqlRolledBack.ts"
import {
  commitIncrements,
  deleteOutboxStatement,
  leaseOutbox,
  selectBoard,
  selectHistory,
} from "./SqlStatements.ts"

const PostgresUrl = Schema.String.check(
  Schema.makeFilter(
    (text) =>
      /^postgres(ql)?:$/.test(URL.parse(text)?.protocol ?? "") ||
      "expected postgres[ql]://[user[:password]@]host[:port]/database",
  ),
)

const make = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const guard =
    (operation: SqlFailure["operation"], limitMillis = CALL_LIMIT_MILLIS) =>
    <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, SqlFailure> =>
      Effect.mapError(bounded(call, Math.min(limitMillis, CALL_LIMIT_MILLIS)), (cause) => {
        const undone = rolledBack(cause)
        return new SqlFailure({ operation, cause, ...(undone === undefined ? {} : { rolledBack: undone }) })
      })

  // The driver dies of a connection that it loses while it rolls back.
  yield* migrate(url).pipe(
    Effect.catchDefect((defect) => Effect.fail(defect)),
    Effect.mapError((cause) => new SqlFailure({ operation: "migrate", cause })),
  )

  const { commits, reads, outbox } = yield* openPools(url).pipe(
    Effect.mapError((cause) => new SqlFailure({ operation: "ping", cause })),
  )

  return Sql.of({
    increment: (batch, limitMillis) => guard("increment", limitMillis)(commitIncrements(commits, batch)),
    top: (limit) => guard("top")(selectBoard(reads, limit)),
    register: (userId, email) =>
      guard("register")(reads`
insert into users (id, email) values (${userId}, ${email})
on conflict (id) do update set email = excluded.email where users.email <> excluded.email`).pipe(
        Effect.asVoid,
      ),
    leaseOutbox: (options) => guard("leaseOutbox")(leaseOutbox(outbox, options)),
    deleteOutbox: (ids) =>
      ids.length === 0
        ? Effect.void
        : guard("deleteOutbox")(Effect.asVoid(deleteOutboxStatement(outbox, ids))),
    pruneKeys: (limit) => guard("pruneKeys")(pruneKeys(reads, limit)),
    history: (request) => guard("history")(selectHistory(reads, request)),
    standing: (request) => guard("standing")(selectStanding(reads, request)),
    page: (request) => guard("page")(selectPage(reads, request)),
    revoke: (token) => guard("revoke")(revokeToken(reads, token)),
    pruneRevoked: (limit) => guard("pruneRevoked")(pruneRevoked(reads, limit)),
    findPlayers: (query) => guard("moderate")(findPlayers(reads, query)),
    setHidden: (hidden, moderation) => guard("moderate")(setHidden(reads, hidden, moderation)),
    correct: (amount, moderation) => guard("moderate")(correctScore(reads, amount, moderation)),
    exportHistory: (options) => guard("export")(exportHistory(reads, options)),
    ping: guard("ping")(reads`select 1`).pipe(Effect.asVoid),
  })
})

/** Applies what is missing of the schema, then serves. `url` names the primary of a PostgreSQL 15 or later. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<Sql, SqlFailure> =>
  Layer.effect(Sql, make(url)).pipe(Layer.provide(Reactivity.layer))

/** `DATABASE_URL`: postgresql://user:password@host:port/database, a primary. */
export const config = { url: Config.schema(Schema.Redacted(PostgresUrl), "DATABASE_URL") }

/** From `config`. */
export const layer = Layer.unwrap(Effect.map(config.url, layerFrom))
