import * as Data from "effect/Data"

/** The command could not look at something that it needs; the process then ends with 3. */
export class AdminUnanswered extends Data.TaggedError("AdminUnanswered")<{
  /** What could not be looked at, and what to do, for the operator. */
  readonly message: string
}> {}
