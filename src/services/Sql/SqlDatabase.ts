import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlFailure } from "./Sql.ts"
import { migrate } from "./SqlMigrations.ts"

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

/** A database that has the newest schema. */
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

/** Applies the missing part of the schema. */
export const layerFrom = oncePerUrl((url) =>
  Layer.effect(
    SqlDatabase,
    migrate(url).pipe(
      // The driver dies when it loses a connection while it rolls back.
      Effect.catchDefect((defect) => Effect.fail(defect)),
      Effect.mapError((cause) => new SqlFailure({ operation: "migrate", cause })),
      Effect.as(SqlDatabase.of({ url })),
    ),
  ),
)

/** From `config`. */
export const layer = Layer.unwrap(Effect.map(config.url, layerFrom))
