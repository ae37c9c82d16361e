import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlFailure } from "./Sql.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { correctScore, undoCorrection } from "./SqlCorrections.ts"
import { exportHistory } from "./SqlExport.ts"
import { SqlModeration } from "./SqlModeration.ts"
import { operatorCall, operatorConnection, waitsForRows } from "./SqlOperator.ts"
import { findPlayers, setHidden } from "./SqlPlayers.ts"
import { endSignIns } from "./SqlSignIns.ts"

const onDatabase = Layer.effect(
  SqlModeration,
  Effect.map(operatorConnection("scoreboard admin", waitsForRows), (sql) =>
    SqlModeration.of({
      findPlayers: (query) => operatorCall("moderate")(findPlayers(sql, query)),
      setHidden: (hidden, moderation) => operatorCall("moderate")(setHidden(sql, hidden, moderation)),
      correct: (correction, moderation) =>
        operatorCall("moderate")(correctScore(sql, correction, moderation)),
      undo: (eventId, moderation) => operatorCall("moderate")(undoCorrection(sql, eventId, moderation)),
      endSignIns: (moderation) => operatorCall("moderate")(endSignIns(sql, moderation)),
      exportHistory: (request) => operatorCall("export")(exportHistory(sql, request)),
    }),
  ),
).pipe(Layer.provide(Reactivity.layer))

/** Moderation at `url`, on one connection of its own. Applies the missing part of the schema first. */
export const layerFrom = (url: Redacted.Redacted): Layer.Layer<SqlModeration, SqlFailure> =>
  onDatabase.pipe(Layer.provide(SqlDatabase.layerFrom(url)))

/** The same where the configuration says. It never changes the schema: it fails when something is missing. */
export const layer = onDatabase.pipe(Layer.provide(SqlDatabase.checkedLayer))
