import type * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as TestClock from "effect/testing/TestClock"
import type { Increment } from "../../../../src/programs/increment/Increment.ts"
import type { IncrementRequest } from "../../../../src/services/Sql/Sql.ts"
import { caller, failure, outcome, withSql } from "./fixtures.ts"

/** What the simulated database can do: two commits at a time, 100 rows each, 250 ms each: 800 rows a second. */
const CONNECTIONS = 2
const COMMIT_MILLIS = 250
export const CAPACITY = 800

/** The time limit of a call, as the PostgreSQL layer has it. */
const CALL_LIMIT_MILLIS = 2_500

/** An answer that takes longer is no use to the caller. */
const IN_TIME_MILLIS = 3_000

/** Requests are started in steps of this length. */
const STEP_MILLIS = 50

/** When no statement ends: from and for how long, in milliseconds of the run. */
export interface Stall {
  readonly fromMillis: number
  readonly forMillis: number
}

/**
 * A database that finishes what it began: a statement whose caller gave up still occupies its connection until it ends,
 * and commits. A caller who gives up before the statement has a connection costs nothing.
 */
const makeDatabase = Effect.fnUntraced(function* (stall: Stall) {
  const connections = yield* Semaphore.make(CONNECTIONS)
  const committed = new Set<string>()
  const statement = Effect.fnUntraced(function* (batch: ReadonlyArray<IncrementRequest>) {
    const nowMillis = yield* Clock.currentTimeMillis
    const endMillis = stall.fromMillis + stall.forMillis
    const begins =
      nowMillis + COMMIT_MILLIS > stall.fromMillis && nowMillis < endMillis ? endMillis : nowMillis
    yield* Effect.sleep(begins - nowMillis + COMMIT_MILLIS)
    for (const { key } of batch) if (key !== undefined) committed.add(key)
    return batch.map((_, n) => outcome("Counted", n + 1))
  })
  const commit = (batch: ReadonlyArray<IncrementRequest>) =>
    Effect.gen(function* () {
      const ended = Deferred.makeUnsafe<ReturnType<typeof outcome>[]>()
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* restore(Semaphore.take(connections, 1))
          yield* Effect.forkDetach(
            Effect.ensuring(
              Effect.flatMap(statement(batch), (outcomes) => Deferred.succeed(ended, outcomes)),
              Semaphore.release(connections, 1),
            ),
          )
        }),
      )
      return yield* Deferred.await(ended)
    }).pipe(Effect.timeoutOrElse({ duration: CALL_LIMIT_MILLIS, orElse: () => Effect.fail(failure) }))
  return { commit, committed }
})

/** What came of the requests that were answered in one second of a run. */
export interface Second {
  /** Answered 200 within three seconds, and committed. */
  goodput: number
  refused: number
}

/** A run: its seconds, and how long each refusal and each success took, in milliseconds. */
export interface Run {
  readonly seconds: ReadonlyArray<Second>
  readonly refusalMillis: ReadonlyArray<number>
  readonly successMillis: ReadonlyArray<number>
  readonly retryAfterSeconds: ReadonlySet<number>
}

/** Offers increments at a steady rate, whatever comes of them. A caller who is refused asks again `retries` times. */
export const offer = Effect.fnUntraced(function* (options: {
  readonly ratePerSecond: number
  readonly seconds: number
  readonly stall?: Stall
  readonly retries?: number
}) {
  const database = yield* makeDatabase(options.stall ?? { fromMillis: Infinity, forMillis: 0 })
  const seconds = Array.from({ length: options.seconds }, (): Second => ({ goodput: 0, refused: 0 }))
  const run = { seconds, refusalMillis: [0], successMillis: [0], retryAfterSeconds: new Set<number>() }
  run.refusalMillis.pop()
  run.successMillis.pop()

  const press = (
    increment: Context.Service.Shape<typeof Increment>,
    key: string,
    retries: number,
  ): Effect.Effect<void> =>
    Effect.gen(function* () {
      const began = yield* Clock.currentTimeMillis
      const error = yield* increment.raise(caller(`player ${key}`), key).pipe(
        Effect.as(undefined),
        Effect.catch((failed) => Effect.succeed(failed)),
      )
      const now = yield* Clock.currentTimeMillis
      const second = seconds[Math.floor(now / 1000)]
      if (error === undefined) {
        run.successMillis.push(now - began)
        if (second && now - began <= IN_TIME_MILLIS && database.committed.has(key)) second.goodput += 1
        return
      }
      run.refusalMillis.push(now - began)
      if (second) second.refused += 1
      if (error._tag !== "Unavailable") return
      run.retryAfterSeconds.add(error.retryAfterSeconds)
      if (retries === 0) return
      yield* Effect.sleep(error.retryAfterSeconds * 1000)
      yield* press(increment, key, retries - 1)
    })

  yield* withSql(
    (batch) => database.commit(batch),
    (increment) =>
      Effect.gen(function* () {
        const steps = (options.seconds * 1000) / STEP_MILLIS
        let n = 0
        for (let step = 0; step < steps; step++) {
          const due = Math.floor(((step + 1) * STEP_MILLIS * options.ratePerSecond) / 1000)
          for (; n < due; n++) yield* Effect.forkChild(press(increment, `key ${n}`, options.retries ?? 0))
          yield* TestClock.adjust(STEP_MILLIS)
        }
        // What is in flight ends, and with it the program: nothing moves the clock after this.
        yield* TestClock.adjust("10 seconds")
      }),
  )
  const finished: Run = run
  return finished
})
