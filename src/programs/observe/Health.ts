import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** A dependency that does not answer a check within this time is unavailable. */
const CHECK_LIMIT = "1 second"

/** A check of one dependency. */
export interface Check {
  readonly name: string
  /** Succeeds when the dependency answers; may take any time. */
  readonly run: Effect.Effect<void, unknown>
}

export interface Report {
  /** Readiness: whether this process should get work. False while it drains, and when it cannot do any work. */
  readonly ready: boolean
  readonly status: "ready" | "degraded" | "unavailable" | "draining" | "migrating"
  /** By name; `away` = unavailable. */
  readonly dependencies: Readonly<Record<string, "up" | "away">>
}

/** The readiness of this process. */
export class Health extends Context.Service<
  Health,
  {
    /** Checks all dependencies at the same time; takes a second at most. */
    readonly report: Effect.Effect<Report>
    /** From now on the process is not ready, whatever the checks say: it is shutting down. Idempotent. */
    readonly drain: Effect.Effect<void>
  }
>()("scoreboard/programs/Health") {
  /**
   * `canWork` decides from the dependencies that are up. A process that can work although some are not is degraded.
   */
  static readonly layerWith = <R>(
    checks: Effect.Effect<ReadonlyArray<Check>, never, R>,
    canWork: (isUp: (name: string) => boolean) => boolean,
  ) =>
    Layer.effect(
      Health,
      Effect.map(checks, (all) => {
        let draining = false
        const report = Effect.forEach(
          all,
          ({ name, run }) =>
            run.pipe(
              Effect.timeout(CHECK_LIMIT),
              Effect.match({
                onSuccess: () => [name, "up"] as const,
                onFailure: () => [name, "away"] as const,
              }),
            ),
          { concurrency: "unbounded" },
        ).pipe(
          Effect.map((results): Report => {
            const dependencies = Object.fromEntries(results)
            if (draining) return { ready: false, status: "draining", dependencies }
            const works = canWork((name) => dependencies[name] === "up")
            const allUp = results.every(([, state]) => state === "up")
            return {
              ready: works,
              status: !works ? "unavailable" : allUp ? "ready" : "degraded",
              dependencies,
            }
          }),
        )
        return Health.of({
          report,
          drain: Effect.sync(() => {
            draining = true
          }),
        })
      }),
    )
}
