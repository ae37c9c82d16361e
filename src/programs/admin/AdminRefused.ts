import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** The command was understood, but cannot be carried out, or found something wrong; the process then ends with 1. */
export class AdminRefused extends Data.TaggedError("AdminRefused")<{
  /** Why, for the operator. */
  readonly message: string
}> {}

/** Ends a command with a message for the operator. */
export const refuse = (message: string) => Effect.fail(new AdminRefused({ message }))
