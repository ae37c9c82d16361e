import { join } from "node:path"
import * as Effect from "effect/Effect"
import { EmbeddedPostgres } from "../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"
import type { Options } from "./Options.ts"
import type { Part } from "./Part.ts"

/** Runs the PostgreSQL of npm, as `npm start` does. */
export const startPostgres = Effect.fnUntraced(function* ({ ports, data }: Options) {
  const dataDir = join(data, "postgres")
  const { place, ended } = yield* EmbeddedPostgres.start({ dataDir, port: ports.postgres })
  const part: Part = {
    name: "PostgreSQL",
    settings: {
      DATABASE_HOST: place.host,
      DATABASE_PORT: String(place.port),
      DATABASE_USER: place.user,
      DATABASE_NAME: place.database,
      DATABASE_PASSWORD_FILE: place.passwordFile,
    },
    ended,
    log: join(dataDir, "server.log"),
  }
  return part
})
