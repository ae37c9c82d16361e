import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import { BOARD_SIZE } from "../../domain/Score.ts"
import { selectBoard } from "./SqlBoard.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { SqlInspection } from "./SqlInspection.ts"
import { operatorCall, operatorConnection } from "./SqlOperator.ts"
import { selectOutbox } from "./SqlOutboxReport.ts"
import { verifyData } from "./SqlVerify.ts"

/**
 * The database that the configuration names, on one connection. It never changes the schema: it fails when something is
 * missing.
 */
export const layer = Layer.effect(
  SqlInspection,
  Effect.map(operatorConnection("scoreboard inspection"), (sql) =>
    SqlInspection.of({
      verify: (onCheck) => operatorCall("inspect")(verifyData(sql, onCheck)),
      board: operatorCall("inspect")(selectBoard(sql, BOARD_SIZE)),
      outbox: (limit) => operatorCall("inspect")(selectOutbox(sql, limit)),
    }),
  ),
).pipe(Layer.provide(Reactivity.layer), Layer.provide(SqlDatabase.checkedLayer))
