import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Address, address, atUrl, startFailure } from "./SqlAddress.ts"
import { type Around, ensureSchema, type WhenMissing } from "./SqlMigrator.ts"

export { config } from "./SqlAddress.ts"

/** `MIGRATIONS`: what a process does at its start about a schema that lacks something. */
export const migrationsConfig = {
  whenMissing: Config.schema(Schema.Literals(["migrate", "check"]), "MIGRATIONS").pipe(
    Config.withDefault("migrate"),
  ),
}

/** What a process does while its schema is migrated, which may take minutes: nothing unless it is provided. */
export const WhileMigrating = Context.Reference<Around>("scoreboard/services/SqlWhileMigrating", {
  defaultValue: () => identity,
})

/** A database whose schema has everything that this code needs. */
export class SqlDatabase extends Context.Service<SqlDatabase, Address>()("scoreboard/services/SqlDatabase") {}

/**
 * One layer for each URL object. Layers that are built together share what they have in common by reference, so the
 * services of one process migrate once and use the same connections.
 */
export const oncePerUrl = <A, E>(
  layerOf: (url: Redacted.Redacted) => Layer.Layer<A, E>,
): ((url: Redacted.Redacted) => Layer.Layer<A, E>) => {
  const layers = new WeakMap<Redacted.Redacted, Layer.Layer<A, E>>()
  return (url) => {
    const layer = layers.get(url) ?? layerOf(url)
    layers.set(url, layer)
    return layer
  }
}

const ready = (at: Address, whenMissing: WhenMissing) =>
  Layer.effect(
    SqlDatabase,
    Effect.flatMap(WhileMigrating, (around) => ensureSchema(at, whenMissing, around)).pipe(
      Effect.mapError((cause) => startFailure("migrate", at, cause)),
      Effect.as(SqlDatabase.of(at)),
    ),
  )

/** Applies the missing part of the schema. */
export const layerFrom = oncePerUrl((url) => ready(atUrl(url), "migrate"))

/** From `config` and `migrationsConfig`. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    return ready(yield* address, yield* migrationsConfig.whenMissing)
  }),
)

/** From `config`; never changes the schema, and fails when something is missing. */
export const checkedLayer = Layer.unwrap(Effect.map(address, (at) => ready(at, "check")))
