import * as Effect from "effect/Effect"
import { monotonicMicros } from "./MonotonicTime.ts"

/**
 * A rate is measured over this many times `mergeMillis`. A few events close together are not a rate yet, and a burst is
 * known as one after ten events.
 */
const MEMORY = 5

export interface ModerationOptions {
  /** No pause is longer, in milliseconds. */
  readonly longestMillis: number
  /**
   * A round that lasted 1 ms is followed by a pause of at least this many. So the work takes at most 1 / (1 + this) of the
   * time, unless a round costs so much that `longestMillis` ends its pause.
   */
  readonly pausePerCost: number
  /**
   * Events that are this close together, in milliseconds, may share a round. In this time there is one round while events
   * come quickly; at an even 1.5 events in this time there are as many rounds, and never more than 1.6.
   */
  readonly mergeMillis: number
}

/** Tells a loop how long to pause between two rounds of work. It has no clock and no timer of its own. */
export interface Moderation {
  /**
   * The pause after a round that began at `beganMillis`, ended at `endedMillis` (monotonic) and did the work of so many
   * events. Milliseconds, from 0 to `longestMillis`. Call it once per round, in order.
   */
  pauseMillis(round: {
    readonly events: number
    readonly beganMillis: number
    readonly endedMillis: number
  }): number
}

/**
 * Adaptive moderation, as network cards moderate their interrupts: events that come one by one are worked off at once,
 * and events that come quickly share rounds. The pause is the longer of two:
 *
 * - as long as the round lasted, times `pausePerCost`: expensive work takes no more than its share of the time;
 * - up to `mergeMillis` if waiting saves work: nothing while less than one more event is expected in that time, all of
 *   it from two on.
 */
export const makeModeration = (options: ModerationOptions): Moderation => {
  const memoryMillis = MEMORY * options.mergeMillis
  /** Events per millisecond, each weighted less the longer it is ago. */
  let rate = 0
  let lastMillis = 0
  return {
    pauseMillis: ({ events, beganMillis, endedMillis }) => {
      rate = rate * Math.exp((lastMillis - endedMillis) / memoryMillis) + events / memoryMillis
      lastMillis = endedMillis
      const expected = rate * options.mergeMillis
      const toMerge = options.mergeMillis * Math.min(1, Math.max(0, expected - 1))
      const toShare = (endedMillis - beganMillis) * options.pausePerCost
      return Math.min(options.longestMillis, Math.max(toMerge, toShare))
    },
  }
}

/**
 * One round of a moderated loop: does `work`, which gives how many events it served, and pauses. A failure of `work`
 * passes without a pause.
 */
export const moderated = <E, R>(
  moderation: Moderation,
  work: Effect.Effect<number, E, R>,
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const beganMicros = yield* monotonicMicros
    const events = yield* work
    const endedMicros = yield* monotonicMicros
    // A timer even for a pause of 0: other connections get their turn between two rounds.
    yield* Effect.sleep(
      moderation.pauseMillis({
        events,
        beganMillis: beganMicros / 1000,
        endedMillis: endedMicros / 1000,
      }),
    )
  })
