/** Scores in the first transaction. */
const FIRST = 100

/** So long a transaction should last, in milliseconds: increments of its players wait for its end. */
const TARGET_MILLIS = 40

/** Also a limit on what is locked at a time. */
const MOST = 1_000
const FEWEST = 10

/** A pause lasts as long as the work before it: half of the time belongs to others. */
const PAUSE_PER_WORK = 1

/** How many scores the next transaction has, and how long to pause before it. It has no clock of its own. */
export const makeImportPace = () => {
  let size = FIRST
  return {
    size: () => size,
    /** After a transaction of `scores` that lasted `millis`: gives the pause in milliseconds. */
    pauseMillis: (scores: number, millis: number): number => {
      // By half at most: one slow disk flush says little about the next.
      const fitting = (scores * TARGET_MILLIS) / Math.max(1, millis)
      const next = Math.min(size * 2, Math.max(size / 2, fitting))
      size = Math.round(Math.min(MOST, Math.max(FEWEST, next)))
      return millis * PAUSE_PER_WORK
    },
  }
}
