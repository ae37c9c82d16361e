import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** A dependency does not answer a check within this time: it is away. */
const CHECK_LIMIT = "1 second"

/** What a dependency's being away means for this process. */
export interface Check {
  readonly name: string
  /** Succeeds when the dependency answers. */
  readonly run: Effect.Effect<void, unknown>
}

export interface Report {
  /** Whether this process should get work: false while it drains, and when it can do none. */
  readonly ready: boolean
  readonly status: "ready" | "degraded" | "unavailable" | "draining"
  readonly dependencies: Readonly<Record<string, "up" | "away">>
}

/** Whether this process can do its work. */
export class Health extends Context.Service<
  Health,
  {
    /** Asks every dependency, all at once. */
    readonly report: Effect.Effect<Report>
    /** From now on not ready, whatever the dependencies say: the process is leaving. */
    readonly drain: Effect.Effect<void>
  }
>()("scoreboard/programs/Health") {
  /** `canWork` decides from the names that are up; a process that can work without all of them is degraded. */
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
