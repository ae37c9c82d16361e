/** The longest that one commit is taken to last, in milliseconds: the time limit of a call to PostgreSQL. */
const SLOWEST_MILLIS = 2500

/** A commit is never taken to be faster than this, in milliseconds: no division by zero before the first one. */
const FASTEST_MILLIS = 1

/**
 * How fast the committers commit, measured from their own commits. It starts fast, and believes a commit in flight as
 * soon as that lasts longer than usual. All times are milliseconds of the monotonic clock.
 */
export interface Pace {
  /** A committer begins a commit. */
  begin(committer: number, nowMillis: number): void
  /** It ended. `answered` = PostgreSQL committed; `unavailable` = it did not answer; `locked` says nothing of the pace. */
  end(committer: number, nowMillis: number, how: "answered" | "unavailable" | "locked"): void
  /** How long a commit lasts at present. */
  readonly commitMillis: number
  /** Whether the last commit that ended got no answer: until one does, only an idle committer gets a request. */
  readonly isOutage: boolean
  /** How long a request that arrives behind `waiting` others will probably wait until a committer takes it. */
  waitMillis(waiting: number, nowMillis: number): number
}

/**
 * Each of `committers` takes up to `batchRows` requests at a time. The estimate: a committer takes a batch every
 * `commitMillis`, or every time as long as its commit in flight has lasted, if that is longer.
 */
export const makePace = (options: { readonly committers: number; readonly batchRows: number }): Pace => {
  const begun: Array<number | undefined> = Array.from({ length: options.committers }, () => undefined)
  let commitMillis = FASTEST_MILLIS
  let isOutage = false

  const answeredAfter = (millis: number) => {
    // Half of the new value: after a stall, four commits are enough to forget it.
    commitMillis = isOutage ? millis : (commitMillis + millis) / 2
    isOutage = false
  }
  const unansweredAfter = (millis: number) => {
    commitMillis = Math.max(commitMillis, millis)
    isOutage = true
  }

  return {
    begin: (committer, nowMillis) => {
      begun[committer] = nowMillis
    },
    end: (committer, nowMillis, how) => {
      const lasted = nowMillis - (begun[committer] ?? nowMillis)
      const millis = Math.min(SLOWEST_MILLIS, Math.max(FASTEST_MILLIS, lasted))
      begun[committer] = undefined
      if (how === "answered") answeredAfter(millis)
      else if (how === "unavailable") unansweredAfter(millis)
    },
    get commitMillis() {
      return commitMillis
    },
    get isOutage() {
      return isOutage
    },
    waitMillis: (waiting, nowMillis) => {
      if (waiting === 0 && begun.includes(undefined)) return 0
      const batchesPerMilli = begun.reduce<number>(
        (sum, since) => sum + 1 / Math.max(commitMillis, nowMillis - (since ?? nowMillis)),
        0,
      )
      return Math.ceil((waiting + 1) / options.batchRows) / batchesPerMilli
    },
  }
}
