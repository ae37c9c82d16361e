import * as Schema from "effect/Schema"

/** The embedded PostgreSQL could not be created or started. `message` is one line: what failed, where, and what to do. */
export class EmbeddedPostgresFailure extends Schema.TaggedError<EmbeddedPostgresFailure>()(
  "EmbeddedPostgresFailure",
  { message: Schema.String, cause: Schema.optional(Schema.Defect()) },
) {}
