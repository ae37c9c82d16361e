import * as Effect from "effect/Effect"
import { REFUSALS } from "../support/engines/redisRefusals.ts"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { DEPENDENCIES, type Dependency, PROCESSES, type ProcessName } from "../support/system/Names.ts"
import { hotPlayerOf, keysOf, type Load, OVERLOAD_DELAY_MILLIS } from "./Load.ts"
import { describeFault, type Fault, type PlannedFault } from "./Plan.ts"
import { backUp, holdSnapshot, lockRow } from "../support/system/Sessions.ts"
import { System } from "../support/system/System.ts"

/** How late a slow network is, in each direction, in milliseconds. */
const DELAY_MILLIS = 150

/** How long a fault waits for what another one has taken hold of, before it is left out; in milliseconds. */
const PATIENCE_MILLIS = 3_000

/** The same for a fault of which a run has only one. */
const RARE_PATIENCE_MILLIS = 20_000

/** A rolling restart must not wait for the end of a backup, which waits for the restart here; in milliseconds. */
const RESTARTED_WITHIN_MILLIS = 60_000

/** A fault that lasts longer never ends, in milliseconds: a run says which one it is. */
const HEALED_WITHIN_MILLIS = 90_000

const APIS = ["api-1", "api-2"] as const

/** One API and one worker at a time. */
const WAVES = [
  ["api-1", "worker-1"],
  ["api-2", "worker-2"],
] as const

/** What a fault takes hold of: two faults never hold the same. */
const held = (fault: Fault): ReadonlyArray<string> => {
  switch (fault.kind) {
    case "kill":
      return [fault.process]
    case "restart":
      return [fault.engine]
    case "flush":
    case "redis refuses writes":
    case "redis demoted":
      return ["redis"]
    case "network":
      return (fault.process === undefined ? PROCESSES : [fault.process]).map(
        (process) => `${process} ${fault.dependency}`,
      )
    case "failover":
      return ["postgres"]
    case "row locked":
      return [fault.table]
    case "overload":
      return ["load", ...APIS.map((process) => `${process} postgres`)]
    case "backup":
      return ["backup", ...PROCESSES]
    case "snapshot":
      return ["snapshot"]
  }
}

interface Run {
  readonly seed: number
  readonly load: Load
  readonly players: ReadonlyArray<{ readonly userId: string }>
  readonly findings: Array<string>
}

/** Does what a plan says at its times, and heals each fault; gives the faults that were done. */
export const inject = Effect.fnUntraced(function* (faults: ReadonlyArray<PlannedFault>, run: Run) {
  const { movePostgres, processes, postgres, redis } = yield* System
  const scope = yield* Effect.scope
  const locks = new Map<string, Semaphore.Semaphore>()
  const done: Array<string> = []

  /** Holds a thing until the scope of its fault ends. All faults hold in the same order, so none waits for a circle. */
  const hold = (name: string) => {
    const lock = locks.get(name) ?? Semaphore.makeUnsafe(1)
    locks.set(name, lock)
    return Effect.acquireRelease(lock.take(1), () => lock.release(1), { interruptible: true })
  }
  const linksOf = (process: ProcessName | undefined, dependency: Dependency) =>
    (process === undefined ? PROCESSES : [process]).map((name) => processes[name].links[dependency])
  const lasting = (
    millis: number,
    begin: Effect.Effect<unknown, unknown>,
    end: Effect.Effect<unknown, unknown>,
  ) => Effect.andThen(begin, Effect.andThen(Effect.sleep(millis), end))
  const each = <A>(all: ReadonlyArray<A>, change: (one: A) => Effect.Effect<void>) =>
    Effect.forEach(all, change, { concurrency: "unbounded", discard: true })

  const restartAll = Effect.forEach(
    WAVES,
    (names) => each(names, (name) => Effect.andThen(processes[name].stop, processes[name].start)),
    { discard: true },
  )
  const restartInTime = Effect.timeoutOrElse(restartAll, {
    duration: RESTARTED_WITHIN_MILLIS,
    orElse: () =>
      Effect.sync(() => void run.findings.push("A rolling restart during a backup did not end in time")),
  })
  /** The old primary answers as a standby before the address moves, for one process later than for the others. */
  const failover = (how: "planned" | "crash", forMillis: number) =>
    Effect.flatMap(postgres.failover(how), (port) => movePostgres(port, forMillis / 2))
  const overload = (forMillis: number) => {
    const links = APIS.map((name) => processes[name].links.postgres)
    return lasting(
      0,
      each(links, (link) => link.delay(OVERLOAD_DELAY_MILLIS)),
      Effect.andThen(
        Scope.provide(run.load.overload(forMillis), scope),
        each(links, (link) => link.forward),
      ),
    )
  }

  const perform = (fault: Fault, forMillis: number): Effect.Effect<unknown, unknown> => {
    switch (fault.kind) {
      case "kill":
        return lasting(forMillis / 4, processes[fault.process].kill, processes[fault.process].start)
      case "restart":
        return fault.engine === "redis"
          ? Effect.suspend(() => {
              const primary = redis.primary()
              return lasting(forMillis, primary.kill, primary.start)
            })
          : lasting(forMillis, fault.how === "fast" ? postgres.stop : postgres.crash, postgres.start)
      case "flush":
        return redis.withClient((client) => Effect.promise(() => client.flushall()))
      case "redis refuses writes":
        return redis.withClient((client) =>
          Effect.flatMap(REFUSALS[fault.code](client), (end) => Effect.delay(end, forMillis)),
        )
      case "redis demoted":
        return Effect.flatMap(redis.demote, ({ port }) =>
          each(linksOf(undefined, "redis"), (link) => link.retarget(port)),
        )
      case "failover":
        return failover(fault.how, forMillis)
      case "row locked": {
        const player = run.players[hotPlayerOf(0)]?.userId ?? ""
        return lockRow(postgres.url, { table: fault.table, player, key: keysOf(run.seed, 0) }, forMillis)
      }
      case "snapshot":
        return holdSnapshot(postgres.url, forMillis)
      case "overload":
        return overload(forMillis)
      case "backup":
        return backUp(postgres.url, restartInTime)
      case "network": {
        const links = linksOf(fault.process, fault.dependency)
        const all = (change: (link: (typeof links)[number]) => Effect.Effect<void>) => each(links, change)
        const heal = all((link) => link.forward)
        switch (fault.how) {
          case "cut":
            return Effect.andThen(
              all((link) => link.refuse),
              heal,
            )
          case "refuse":
            return lasting(
              forMillis,
              all((link) => link.refuse),
              heal,
            )
          case "stall":
            return lasting(
              forMillis,
              all((link) => link.stall),
              heal,
            )
          case "delay":
            return lasting(
              forMillis,
              all((link) => link.delay(DELAY_MILLIS)),
              heal,
            )
        }
      }
    }
  }

  yield* Effect.forEach(
    faults,
    ({ atMillis, forMillis, fault }) =>
      Effect.gen(function* () {
        yield* Effect.sleep(atMillis)
        const isHeld = yield* Effect.timeoutOption(
          Effect.forEach(held(fault).toSorted(), hold, { discard: true }),
          fault.kind === "backup" || fault.kind === "failover" ? RARE_PATIENCE_MILLIS : PATIENCE_MILLIS,
        )
        if (isHeld._tag === "None") return
        const began = yield* Effect.orDie(perform(fault, forMillis)).pipe(
          Effect.timeoutOrElse({
            duration: HEALED_WITHIN_MILLIS,
            orElse: () =>
              Effect.sync(() => void run.findings.push(`It did not end: ${describeFault(fault)}`)),
          }),
        )
        if (began !== false) done.push(describeFault(fault))
      }).pipe(Effect.scoped),
    { concurrency: "unbounded", discard: true },
  )
  // Everything is whole again: a fault ends with its own healing, this only says so.
  for (const name of PROCESSES) {
    yield* processes[name].start
    for (const dependency of DEPENDENCIES) yield* processes[name].links[dependency].forward
  }
  return done
})
