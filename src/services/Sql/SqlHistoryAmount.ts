import type * as SqlClient from "effect/sql/SqlClient"

/** The points of a row of `score_events`, as an expression over the unqualified columns of that table. */
export const historyAmount = (sql: SqlClient.SqlClient) => sql.literal("amount")
