import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { LOCAL_POSTGRES } from "../../services/LocalData.ts"
import { AdminUnanswered } from "./AdminUnanswered.ts"

/** Each of these alone says that the operator means another database than that of `npm start`. */
const NAMES_A_DATABASE = ["DATABASE_URL", "DATABASE_HOST"]

const isNamed = Effect.flatMap(ConfigProvider.ConfigProvider, ({ load }) =>
  Effect.map(
    Effect.forEach(NAMES_A_DATABASE, (name) => load([name])),
    (nodes) => nodes.some((node) => node !== undefined),
  ),
)

/** Whether the database is that of `npm start`. */
export const isLocal = Effect.map(isNamed, (named) => !named)

/** Only an operator without a `DATABASE_URL` loads what knows the folder of `npm start`. */
const find = Effect.promise(() => import("../../services/EmbeddedPostgres/EmbeddedPostgresRunning.ts")).pipe(
  Effect.flatMap(({ findRunning }) => findRunning(LOCAL_POSTGRES)),
)

/**
 * Where the environment names no database: `DATABASE_URL` is that of the `npm start` that runs in this folder, and
 * standard error says so. Fails if none runs here.
 */
export const LocalDatabase = ConfigProvider.layerAdd(
  Effect.gen(function* () {
    if (yield* isNamed) return ConfigProvider.fromEnvRecord({})
    const found = yield* find
    if (found === undefined) {
      return yield* new AdminUnanswered({
        message: `Configuration: neither DATABASE_URL nor DATABASE_HOST is set, and no \`npm start\` runs in this folder (${LOCAL_POSTGRES}). With the settings of a file: node --env-file=.env src/main-admin.ts …`,
      })
    }
    yield* Console.error(
      `Database: that of \`npm start\` in ${found.path}, 127.0.0.1:${found.port}, because the environment names none`,
    )
    return ConfigProvider.fromEnvRecord({ DATABASE_URL: Redacted.value(found.url) })
  }),
)
