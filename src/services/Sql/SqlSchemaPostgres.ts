import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import { type Address, address, startFailure } from "./SqlAddress.ts"
import { ensureSchema, schemaStatus } from "./SqlMigrator.ts"
import { SqlSchema } from "./SqlSchema.ts"

const layerAt = (at: Address) => {
  const failed = Effect.mapError((cause: unknown) => startFailure("migrate", at, cause))
  return Layer.succeed(SqlSchema, {
    status: failed(schemaStatus(at)),
    migrate: failed(ensureSchema(at, "migrate", identity)),
  })
}

/** The schema of the database that the configuration names. */
export const layer = Layer.unwrap(Effect.map(address, layerAt))
