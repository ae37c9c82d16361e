import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { Sql, type SqlFailure } from "./Sql.ts"
import { selectBoard } from "./SqlBoard.ts"
import { sqlCall } from "./SqlCall.ts"
import { commitIncrements } from "./SqlCommit.ts"
import { selectHistory } from "./SqlHistory.ts"
import { deleteOutboxStatement, makeLease } from "./SqlOutbox.ts"
import * as SqlPools from "./SqlPools.ts"
import { selectPage, selectStanding } from "./SqlRanks.ts"
import { registerPlayer } from "./SqlRegistration.ts"
import { refusesToken, revokeToken } from "./SqlRevocation.ts"

const onPools = Layer.effect(
  Sql,
  Effect.map(SqlPools.SqlPools, ({ primary, commits, commitsAside, outbox, vital, players, pages }) => {
    const lease = makeLease(outbox)
    return Sql.of({
      increment: (batch) => sqlCall("increment")(commitIncrements(commits, batch)),
      incrementAside: (batch) => sqlCall("increment")(commitIncrements(commitsAside, batch)),
      top: (limit) => sqlCall("top")(selectBoard(vital, limit)),
      register: (userId, email) => sqlCall("register")(registerPlayer(vital, userId, email)),
      leaseOutbox: (request) => sqlCall("leaseOutbox")(lease(request)),
      deleteOutbox: (ids) =>
        ids.length === 0
          ? Effect.void
          : sqlCall("deleteOutbox")(Effect.asVoid(deleteOutboxStatement(outbox, ids))),
      history: (request) => sqlCall("history")(selectHistory(players, request)),
      standing: (request) => sqlCall("standing")(selectStanding(players, request)),
      page: (request) => sqlCall("page")(selectPage(pages, request)),
      revoke: (revocation) => sqlCall("revoke")(revokeToken(vital, revocation)),
      refuses: (token) => sqlCall("refuses")(refusesToken(vital, token)),
      ping: sqlCall("ping")(primary.ping(vital)),
    })
  }),
)

/** A PostgreSQL 15 or later, whose primary is at `url`. Applies the missing part of the schema first. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<Sql, SqlFailure> =>
  onPools.pipe(Layer.provide(SqlPools.layerFrom(url)))

/** The same where the configuration says. */
export const layer = onPools.pipe(Layer.provide(SqlPools.layer))
