import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { SqlFailure } from "./Sql.ts"
import * as SqlDatabase from "./SqlDatabase.ts"
import { ensureSchema, schemaStatus } from "./SqlMigrator.ts"
import { SqlSchema } from "./SqlSchema.ts"

const failed = Effect.mapError((cause: unknown) => new SqlFailure({ operation: "migrate", cause }))

const layerFrom = (url: Redacted.Redacted) =>
  Layer.succeed(SqlSchema, {
    status: failed(schemaStatus(url)),
    migrate: failed(ensureSchema(url, "migrate", identity)),
  })

/** The schema of the database at `DATABASE_URL`. */
export const layer = Layer.unwrap(Effect.map(SqlDatabase.config.url, layerFrom))
