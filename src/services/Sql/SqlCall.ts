import * as Effect from "effect/Effect"
import { abandonable } from "../../foundation/Abandonable.ts"
import { SqlFailure } from "./Sql.ts"
import { rolledBack } from "./SqlRolledBack.ts"

/** When the server does not answer at all: the design's three seconds, less what the HTTP answer needs. */
const CALL_LIMIT_MILLIS = 2500

/**
 * Gives a call the failure `SqlFailure` and a time limit: 2.5 s, or `limitMillis` if that is shorter. At the limit the
 * call is abandoned: nobody waits for it to stop.
 */
export const sqlCall =
  (operation: SqlFailure["operation"], limitMillis = CALL_LIMIT_MILLIS) =>
  <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, SqlFailure> => {
    const duration = Math.min(limitMillis, CALL_LIMIT_MILLIS)
    return Effect.timeoutOrElse(abandonable(call), {
      duration,
      orElse: () => Effect.fail(new Error(`PostgreSQL did not answer within ${duration} ms`)),
    }).pipe(
      Effect.mapError((cause) => {
        const undone = rolledBack(cause)
        return new SqlFailure({ operation, cause, ...(undone === undefined ? {} : { rolledBack: undone }) })
      }),
    )
  }
