import { LruMap } from "../../src/foundation/LruMap.ts"
import { Memory } from "./Memory.ts"
import type { Plain } from "./Plain.ts"
import { Seats } from "./Seats.ts"

/** A question whose answer is shared by all who ask it. */
export interface Question {
  /** Everything that the answer depends on. */
  readonly key: string
  readonly freshMillis: number
  /** How long after that the last answer is given at once while the origin is asked. */
  readonly staleMillis: number
  /** Whose limits an ask counts against: only askers of one account share an ask. Undefined = asks of all are shared. */
  readonly account: string | undefined
  /** Asks the origin; `last` is the kept answer, which the origin may confirm. Undefined = unavailable. Never rejects. */
  readonly ask: (last: Plain | undefined) => Promise<Plain | undefined>
  /** Whether the origin may be asked now. Called once before each `ask`. */
  readonly mayAsk: () => Promise<boolean>
  /**
   * Whether the client has this answer already. It then waits for a newer one while the origin is unavailable. Absent = it
   * never waits. Only for questions without an `account`.
   */
  readonly has?: ((answer: Plain) => boolean) | undefined
}

/** What Reads needs from its surroundings. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Resolves after so many milliseconds. */
  readonly sleep: (millis: number) => Promise<void>
  /** Kept answers of other isolates at this location. */
  readonly find: (key: string) => Promise<Plain | undefined>
  readonly store: (key: string, answer: Plain) => Promise<void>
  /** Keeps the work going after the request that began it. */
  readonly outlive: (work: Promise<unknown>) => void
}

/** An answer, and how it came about; without one, a limit refused it or the origin is unavailable. */
export type Reply =
  | { readonly from: "hit" | "miss" | "stale" | "away"; readonly answer: Plain; readonly ageSeconds: number }
  | { readonly from: "refused" | "unavailable" }

/** How long a request waits for the origin. The API itself answers 503 when a dependency does not for 3 s. */
const PATIENCE_MILLIS = 3_000

/** How long the last answer is given while the origin is unavailable: an hour. */
const KEEP_MILLIS = 3_600_000

/** After a failure the origin is asked again so much later, and not by every request. */
const RETRY_MILLIS = 500

/** How long a client that has the last answer waits for another, from its request on. Our client gives up after 10 s. */
const HOLD_MILLIS = 8_000

/**
 * How old the last answer is before anybody waits. Our client polls every 6 s or oftener, and dials quickly if it got a
 * board that was over 10 s old and then a current one; with whole seconds and time on the way, it has got one by now.
 */
const HOLD_AGE_MILLIS = 18_000

/** How many reads, and how many others, wait at once; all reach the origin within 0.3 s of its return. Each holds a few KB, an isolate 128 MB. */
const SEATS = 500

/** A failure before this says nothing about now: while somebody waits, the origin is asked twice a second. */
const RECENT_MILLIS = 2 * RETRY_MILLIS

/** An asker that takes longer is given up: the runtime may have ended it with the request that it belonged to. */
const LOST_MILLIS = 15_000

/** Questions of which an ask, or the last failure, is remembered. An ask that is forgotten may be made once more. */
const QUESTIONS = 500

/** What came of an ask: the origin's answer; or else what is kept, and whether a limit refused the ask. */
interface Outcome {
  readonly answer?: Plain | undefined
  readonly kept?: Plain | undefined
  readonly isRefused?: boolean
}

interface Asking {
  readonly asker: string
  readonly since: number
  readonly outcome: Promise<Outcome>
}

interface Failure {
  readonly at: number
  readonly answer: Plain | undefined
}

/** Reads of the origin, shared: one asker for each question, and the last answer for an hour. State of one isolate. */
export class Reads {
  readonly #memory = new Memory()
  // Not a Map: an ask whose request the runtime has ended never settles, so nothing would take it out.
  readonly #asking = new LruMap<string, Asking>(QUESTIONS)
  readonly #failures = new LruMap<string, Failure>(QUESTIONS)
  readonly #readSeats = new Seats(SEATS)
  readonly #otherSeats = new Seats(SEATS)

  async read(question: Question, around: Surroundings): Promise<Reply> {
    const begun = around.now()
    const reply = await this.#readOnce(question, around)
    if (reply.from !== "away" || question.has?.(reply.answer) !== true) return reply
    const isOld = ageMillis(reply.answer, around.now()) >= HOLD_AGE_MILLIS
    const wait = isOld ? this.#wait(this.#readSeats, question, begun + HOLD_MILLIS, around) : undefined
    return (await wait) ?? give("away", reply.answer, around.now())
  }

  /**
   * Waits up to 8 s while the origin is known not to answer this question, for a request that needs the origin itself.
   * Returns "away" if it still does not; "unknown" if nobody has asked lately, or too many wait.
   */
  async untilBack(question: Question, around: Surroundings): Promise<"back" | "away" | "unknown"> {
    const now = around.now()
    const failure = this.#failures.peek(question.key)
    if (failure === undefined || now - failure.at > RECENT_MILLIS) return "unknown"
    const wait = this.#wait(this.#otherSeats, question, now + HOLD_MILLIS, around)
    if (wait === undefined) return "unknown"
    return (await wait) === undefined ? "away" : "back"
  }

  /** Waits on a seat until then for a good answer. Undefined at once = no seat or time is left; later = no answer came. */
  #wait(
    seats: Seats,
    question: Question,
    until: number,
    around: Surroundings,
  ): Promise<Reply | undefined> | undefined {
    const now = around.now()
    const leave = until <= now ? undefined : seats.take(now, until)
    return leave && this.#await(question, until - now, around).finally(leave)
  }

  /**
   * Waits so long for a good answer, and asks for it like everybody else; undefined = none came. All who wait wake up
   * half a second after the last failure, and the first of them asks.
   */
  async #await(question: Question, millis: number, around: Surroundings): Promise<Reply | undefined> {
    const begun = around.now()
    // A flag, because the clock stands still between two events: it may not have reached the end when the timer has.
    let isOver = false
    const end = around.sleep(millis).then(() => void (isOver = true))
    for (;;) {
      const failedAt = this.#failures.peek(question.key)?.at ?? around.now()
      await Promise.race([around.sleep(Math.max(0, failedAt + RETRY_MILLIS - around.now())), end])
      if (isOver) return undefined
      const asking = this.#ask(question, this.#memory.get(question.key), around)
      const { answer } = (await Promise.race([this.#settled(asking), end])) ?? {}
      if (answer === undefined || !isGood(answer)) continue
      return give(answer.askedAt < begun ? "hit" : "miss", answer, around.now())
    }
  }

  async #readOnce(question: Question, around: Surroundings): Promise<Reply> {
    const { key, freshMillis } = question
    const begun = around.now()
    const known = this.#memory.get(key)
    const age = ageMillis(known, begun)
    if (known !== undefined && age < freshMillis) return give("hit", known, begun)

    const failure = this.#failures.peek(key)
    if (failure !== undefined && begun - failure.at < RETRY_MILLIS) {
      return lastOr(failure.answer, known, "away", begun)
    }
    const asking = this.#ask(question, known, around)
    if (known !== undefined && age < freshMillis + question.staleMillis) return give("stale", known, begun)

    const rest = Math.max(0, PATIENCE_MILLIS - (begun - asking.since))
    const { answer, kept, isRefused } =
      (await Promise.race([this.#settled(asking), around.sleep(rest)])) ?? {}
    const now = around.now()
    if (answer !== undefined && isGood(answer))
      return give(answer.askedAt < begun ? "hit" : "miss", answer, now)
    if (isRefused === true) return lastOr(undefined, kept, "stale", now, "refused")
    return lastOr(answer, kept ?? known, "away", now)
  }

  /** Joins who is asking already, or asks. */
  #ask(question: Question, known: Plain | undefined, around: Surroundings): Asking {
    const asker = `${question.account ?? ""} ${question.key}`
    const current = this.#asking.get(asker)
    if (current !== undefined && around.now() - current.since < LOST_MILLIS) return current
    const asking: Asking = {
      asker,
      since: around.now(),
      outcome: this.#outcome(question, known, around).finally(() => this.#forget(asking)),
    }
    this.#asking.set(asker, asking)
    around.outlive(asking.outcome)
    return asking
  }

  /**
   * Waits for what comes of an ask. The runtime goes on with each waiter in the waiter's own request, but rejects who waits
   * for a request that it has ended; the next one then asks anew.
   */
  async #settled(asking: Asking): Promise<Outcome> {
    try {
      return await asking.outcome
    } catch {
      this.#forget(asking)
      return {}
    }
  }

  #forget(asking: Asking) {
    if (this.#asking.peek(asking.asker) === asking) this.#asking.delete(asking.asker)
  }

  async #outcome(question: Question, known: Plain | undefined, around: Surroundings): Promise<Outcome> {
    const { key, freshMillis, account } = question
    const kept = newer(known, await around.find(key))
    if (kept !== undefined && kept !== known) this.#memory.set(key, kept)
    if (kept !== undefined && ageMillis(kept, around.now()) < freshMillis) return { answer: kept }
    if (!(await question.mayAsk())) return { kept, isRefused: true }

    const answer = await question.ask(kept)
    if (answer?.status === 200 || answer?.status === 204) {
      this.#failures.delete(key)
      this.#memory.set(key, answer)
      around.outlive(around.store(key, answer))
    } else if (account === undefined) {
      this.#failures.set(key, { at: around.now(), answer })
    }
    return { answer, kept }
  }
}

const newer = (a: Plain | undefined, b: Plain | undefined): Plain | undefined =>
  a === undefined || (b !== undefined && b.askedAt > a.askedAt) ? b : a

const ageMillis = (answer: Plain | undefined, now: number) =>
  answer === undefined ? Infinity : Math.max(0, now - answer.askedAt)

/** Whether an answer tells more than the last good one: 429 is about the asker, 5xx about the origin. */
const isGood = ({ status }: Plain) => status < 500 && status !== 429

const give = (from: "hit" | "miss" | "stale" | "away", answer: Plain, now: number): Reply => ({
  from,
  answer,
  ageSeconds: Math.floor(ageMillis(answer, now) / 1_000),
})

/** The last good answer if it may still be given, else the origin's own refusal, else none. */
const lastOr = (
  refusal: Plain | undefined,
  kept: Plain | undefined,
  why: "stale" | "away",
  now: number,
  otherwise: "refused" | "unavailable" = "unavailable",
): Reply => {
  if (kept !== undefined && ageMillis(kept, now) < KEEP_MILLIS) return give(why, kept, now)
  return refusal === undefined ? { from: otherwise } : give("miss", refusal, now)
}
