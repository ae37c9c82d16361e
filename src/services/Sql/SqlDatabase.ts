import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlFailure } from "./Sql.ts"
import { type Around, ensureSchema, type WhenMissing } from "./SqlMigrator.ts"

/** What the driver does something with, and we do not replace by something of our own. */
const PARAMETERS = ["host", "port", "user", "password", "dbname", "options", "sslmode"]

/** `prefer` and `allow` go on without TLS if the server has none; the others check its certificate, and so do these. */
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

/** What is wrong with a connection string, without any of its values: they may be secret. */
const problemOf = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (!/^postgres(ql)?:$/.test(url?.protocol ?? "")) {
    return "expected postgres[ql]://[user[:password]@]host[:port]/database"
  }
  const unknown = [...(url?.searchParams.keys() ?? [])].filter((name) => !PARAMETERS.includes(name))
  if (unknown.length > 0) {
    return `unknown: ${unknown.join(", ")}; parameters may be ${PARAMETERS.join(", ")}`
  }
  const modes = url?.searchParams.getAll("sslmode") ?? []
  return modes.every((mode) => SSL_MODES.includes(mode))
    ? undefined
    : `sslmode may be ${SSL_MODES.join(", ")}`
}

const PostgresUrl = Schema.String.check(Schema.makeFilter((text) => problemOf(text) ?? true))

/** `DATABASE_URL`: postgresql://user:password@host:port/database, the primary of a PostgreSQL 15 or later. */
export const config = { url: Config.schema(Schema.Redacted(PostgresUrl), "DATABASE_URL") }

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
export class SqlDatabase extends Context.Service<SqlDatabase, { readonly url: Redacted.Redacted }>()(
  "scoreboard/services/SqlDatabase",
) {}

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

const ready = (url: Redacted.Redacted, whenMissing: WhenMissing) =>
  Layer.effect(
    SqlDatabase,
    Effect.flatMap(WhileMigrating, (around) => ensureSchema(url, whenMissing, around)).pipe(
      Effect.mapError((cause) => new SqlFailure({ operation: "migrate", cause })),
      Effect.as(SqlDatabase.of({ url })),
    ),
  )

/** Applies the missing part of the schema. */
export const layerFrom = oncePerUrl((url) => ready(url, "migrate"))

/** From `config` and `migrationsConfig`. */
export const layer = Layer.unwrap(
  Effect.map(Config.all({ ...config, ...migrationsConfig }), ({ url, whenMissing }) =>
    ready(url, whenMissing),
  ),
)

/** From `config`; never changes the schema, and fails when something is missing. */
export const checkedLayer = Layer.unwrap(Effect.map(config.url, (url) => ready(url, "check")))
