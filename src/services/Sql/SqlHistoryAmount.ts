import type * as SqlClient from "effect/sql/SqlClient"

/**
 * The points of a row of `score_events`, as an expression over the unqualified columns of that table. `points` is there
 * only where the amount is beyond int.
 */
export const historyAmount = (sql: SqlClient.SqlClient) => sql.literal("coalesce(points, amount)")
