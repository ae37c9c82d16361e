import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as PostgresPair from "../engines/PostgresPair.ts"

/** The database of a system: a primary and its standby, which change places any number of times. */
export interface Database {
  /** Leads to the server that is the primary now, without a proxy. */
  readonly url: Redacted.Redacted
  readonly port: number
  /** Stops the primary, fast. */
  readonly stop: Effect.Effect<void>
  /** Ends the primary at once, without a checkpoint. */
  readonly crash: Effect.Effect<void>
  /** Starts the primary again, on the same port with the same data. */
  readonly start: Effect.Effect<void>
  /**
   * Makes the standby the primary, without the loss of a commit, and returns when the old primary serves as its standby
   * on its old port. `planned` stops the old one first; `crash` ends it while clients commit, after its commits began to
   * wait for the standby. Gives the port of the new primary.
   */
  failover(how: "planned" | "crash"): Effect.Effect<number>
}

/** Starts both servers. */
export const makeDatabase = Effect.gen(function* () {
  const pair = yield* PostgresPair.make
  let [primary, standby] = [pair.first, pair.second]
  const database: Database = {
    get url() {
      return primary.url
    },
    get port() {
      return primary.port
    },
    stop: Effect.suspend(() => primary.stop),
    crash: Effect.suspend(() => primary.crash),
    start: Effect.suspend(() => primary.start),
    failover: Effect.fnUntraced(function* (how) {
      const [old, next] = [primary, standby]
      if (how === "crash") {
        yield* old.synchronous
        yield* old.crash
      } else {
        // A server that is stopped fast sends its standby everything first, if that is connected.
        yield* old.replicates
        yield* old.stop
      }
      yield* next.promote
      ;[primary, standby] = [next, old]
      yield* old.rejoin
      return next.port
    }),
  }
  return database
})
