import * as SqlError from "effect/sql/SqlError"

/**
 * Why the server says that it undid a statement: `data` = a value in it can never be stored as it is (SQLSTATE
 * classes 22, 23 and 54), `deadlock` = it was the victim of one (40P01) and may well succeed another time.
 */
export type RolledBack = "data" | "deadlock"

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : ""

/** None when it is not known that the statement was undone, or when the reason is neither of the two. */
export const rolledBack = (error: unknown): RolledBack | undefined => {
  if (!SqlError.isSqlError(error)) return undefined
  const { reason } = error
  if (reason._tag === "DeadlockError") return "deadlock"
  if (reason._tag === "ConstraintError" || reason._tag === "UniqueViolation") return "data"
  // Only the server's own errors carry a code of five characters; those of sockets look like ECONNRESET.
  return /^(?:22|54)...$/.test(codeOf(reason.cause)) ? "data" : undefined
}
