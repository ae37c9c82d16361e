import * as Effect from "effect/Effect"
import { Redis as RedisClient } from "ioredis"
import { DEPENDENCIES, type Dependency, PROCESSES, type ProcessName } from "../support/system/Names.ts"
import { describeFault, type Fault, type PlannedFault } from "./Plan.ts"
import { System } from "../support/system/System.ts"

/** How late a slow network is, in each direction, in milliseconds. */
const DELAY_MILLIS = 150

/** What a fault takes hold of; a fault that finds any of it taken is left out. */
const held = (fault: Fault): ReadonlyArray<string> => {
  switch (fault.kind) {
    case "kill":
      return [fault.process]
    case "restart":
      return [fault.engine]
    case "flush":
      return ["redis"]
    case "network":
      return (fault.process === undefined ? PROCESSES : [fault.process]).map(
        (process) => `${process} ${fault.dependency}`,
      )
  }
}

/** Empties Redis without a restart. */
const flush = (url: string) =>
  Effect.promise(async () => {
    const client = new RedisClient(url, { lazyConnect: true })
    try {
      await client.connect()
      await client.flushall()
    } finally {
      client.disconnect()
    }
  })

/** Does what a plan says at its times, and heals each fault; gives the faults that were done. */
export const inject = Effect.fnUntraced(function* (faults: ReadonlyArray<PlannedFault>) {
  const { processes, postgres, redis } = yield* System
  const taken = new Set<string>()
  const done: Array<string> = []

  const linksOf = (process: ProcessName | undefined, dependency: Dependency) =>
    (process === undefined ? PROCESSES : [process]).map((name) => processes[name].links[dependency])
  const lasting = (
    millis: number,
    begin: Effect.Effect<unknown, unknown>,
    end: Effect.Effect<unknown, unknown>,
  ) => Effect.andThen(begin, Effect.andThen(Effect.sleep(millis), end))

  const perform = (fault: Fault, forMillis: number): Effect.Effect<unknown, unknown> => {
    switch (fault.kind) {
      case "kill":
        return lasting(forMillis / 4, processes[fault.process].kill, processes[fault.process].start)
      case "restart":
        return fault.engine === "redis"
          ? lasting(forMillis, redis.kill, redis.start)
          : lasting(forMillis, fault.how === "fast" ? postgres.stop : postgres.crash, postgres.start)
      case "flush":
        return flush(redis.url)
      case "network": {
        const links = linksOf(fault.process, fault.dependency)
        const all = (change: (link: (typeof links)[number]) => Effect.Effect<void>) =>
          Effect.forEach(links, change, { concurrency: "unbounded", discard: true })
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
        const names = held(fault)
        if (names.some((name) => taken.has(name))) return
        for (const name of names) taken.add(name)
        done.push(describeFault(fault))
        yield* Effect.orDie(perform(fault, forMillis))
        for (const name of names) taken.delete(name)
      }),
    { concurrency: "unbounded", discard: true },
  )
  // Everything is whole again: a fault ends with its own healing, this only says so.
  for (const name of PROCESSES) {
    yield* processes[name].start
    for (const dependency of DEPENDENCIES) yield* processes[name].links[dependency].forward
  }
  return done
})
