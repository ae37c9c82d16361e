import type { PgConnection } from "@effect/sql-pg/PgConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"

/**
 * A wait for the synchronous standby that somebody cancelled, such as an operator by `pg_cancel_backend`: PostgreSQL
 * then commits without the standby, reports success, and sends this warning before it.
 */
const CANCELLED_WAIT = /^canceling (?:the )?wait for synchronous replication/

const message = "a wait for the synchronous standby was cancelled: it may lack the commit"

/** The outcome of a commit whose wait was cancelled is unknown: the standby may lack it. */
export const WAIT_CANCELLED = new SqlError({
  reason: new UnknownError({ cause: new Error(message), message, operation: "commit" }),
})

const isCancelledWait = (received: unknown) =>
  typeof received === "object" &&
  received !== null &&
  "_tag" in received &&
  received._tag === "NoticeResponse" &&
  "fields" in received &&
  typeof received.fields === "object" &&
  received.fields !== null &&
  "message" in received.fields &&
  CANCELLED_WAIT.test(String(received.fields.message))

/**
 * Listens to the messages of the server, because the driver drops its warnings and has no hook for them. Gives a
 * function that tells whether a wait was cancelled since it was last asked. Throws if the driver has changed.
 */
export const watchWaits = (connection: PgConnection): (() => boolean) => {
  const dispatch: unknown = Reflect.get(connection, "dispatch")
  if (typeof dispatch !== "function")
    throw new TypeError("The PostgreSQL driver dispatches messages in another way")
  let cancelled = false
  Reflect.set(connection, "dispatch", (received: unknown) => {
    if (isCancelledWait(received)) cancelled = true
    Reflect.apply(dispatch, connection, [received])
  })
  return () => {
    const was = cancelled
    cancelled = false
    return was
  }
}
