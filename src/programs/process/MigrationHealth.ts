import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Listener } from "../../services/Listener/Listener.ts"
import type { ProcessMetrics } from "../../services/ProcessMetrics.ts"
import { WhileMigrating } from "../../services/Sql/SqlDatabase.ts"
import { Health } from "../observe/Health.ts"
import { managementConfig, serveManagement } from "./Management.ts"

/** Not ready: the tables are not what this code needs. */
const health = Health.of({
  report: Effect.succeed({ ready: false, status: "migrating", dependencies: {} }),
  drain: Effect.void,
})

/**
 * Serves health and metrics while the start of this process migrates the schema: live, not ready. Afterwards the port
 * closes, and opens again with everything else.
 */
export const MigrationHealth = (defaultHost: string) =>
  Layer.effect(
    WhileMigrating,
    Effect.gen(function* () {
      const { host, port } = yield* Config.all(managementConfig(defaultHost))
      const services = yield* Effect.context<Listener | ProcessMetrics>()
      return (migrating) =>
        Option.isNone(port)
          ? migrating
          : Effect.gen(function* () {
              const listening = yield* serveManagement(host, port.value)
              yield* Effect.annotateLogs(
                Effect.logInfo("Migrations are applied first; meanwhile health is served and not ready"),
                { host, port: listening.port },
              )
              return yield* migrating
            }).pipe(Effect.scoped, Effect.provideContext(services), Effect.provideService(Health, health))
    }),
  )
