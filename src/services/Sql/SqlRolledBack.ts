import * as SqlError from "effect/sql/SqlError"
import type { SqlFailure } from "./Sql.ts"

type RolledBack = SqlFailure["rolledBack"]

const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined

/**
 * The SQLSTATE that the server gave: five characters. An error of the socket has the socket's code, such as ECONNRESET;
 * anything else has none.
 */
export const sqlState = (error: unknown): string | undefined =>
  SqlError.isSqlError(error) ? codeOf(error.reason.cause) : undefined

/**
 * Why the server rolled a statement back: `data` by SQLSTATE class 22, 23 or 54, `deadlock` by 40P01, `serialization` by
 * 40001, `lock` by 55P03. Undefined for any other reason, or when it is not known whether the statement was rolled back
 * at all.
 */
export const rolledBack = (error: unknown): RolledBack => {
  if (!SqlError.isSqlError(error)) return undefined
  const { reason } = error
  if (reason._tag === "DeadlockError") return "deadlock"
  if (reason._tag === "SerializationError") return "serialization"
  if (reason._tag === "LockTimeoutError") return "lock"
  if (reason._tag === "ConstraintError" || reason._tag === "UniqueViolation") return "data"
  return /^(?:22|54)...$/.test(codeOf(reason.cause) ?? "") ? "data" : undefined
}
