import * as Effect from "effect/Effect"
import { abandonable } from "../../foundation/Abandonable.ts"
import { SqlFailure } from "./Sql.ts"
import { rolledBack } from "./SqlRolledBack.ts"

/**
 * When the server does not answer at all: the design's three seconds, less what the HTTP answer needs. Longer than the
 * time limit of a statement at the server, so a server that works ends a statement before its caller gives up.
 */
const CALL_LIMIT_MILLIS = 2500

/**
 * Gives a call the failure `SqlFailure` and a time limit of its own: 2.5 s. At the limit the call is abandoned: nobody
 * waits for it to stop. Its connection stays taken until the server has ended or cancelled the statement, or it is
 * closed, so no other statement waits behind it at the server.
 */
export const sqlCall =
  (operation: SqlFailure["operation"]) =>
  <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, SqlFailure> =>
    Effect.timeoutOrElse(abandonable(call), {
      duration: CALL_LIMIT_MILLIS,
      orElse: () => Effect.fail(new Error(`PostgreSQL did not answer within ${CALL_LIMIT_MILLIS} ms`)),
    }).pipe(
      Effect.mapError((cause) => {
        const undone = rolledBack(cause)
        return new SqlFailure({ operation, cause, ...(undone === undefined ? {} : { rolledBack: undone }) })
      }),
    )
