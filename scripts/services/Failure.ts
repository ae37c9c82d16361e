import * as Data from "effect/Data"

/** The services cannot run, or no longer do. `message` is one line: what is wrong, and what to do. */
export class ServicesFailure extends Data.TaggedError("ServicesFailure")<{ readonly message: string }> {}
