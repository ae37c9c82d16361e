import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { Unavailable } from "../../domain/Errors.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"

/** Seconds of `Retry-After`, chosen at random: callers who are refused together do not return together. */
const RETRY_AFTER = [1, 2, 3] as const

/**
 * Why an increment is answered 503. Only after `unanswered` is the outcome unknown; all others certainly count nothing.
 * `queue` = it would wait too long, so it was refused on arrival; `outage` = the same, because the last commit got no
 * answer; `late` = it left the queue because its commit would not end in time; `unanswered` = its own commit failed or
 * was not answered in time; `locked` = another transaction locks a row that it needs; `stopping` = the process ends.
 */
export type Reason = "queue" | "outage" | "late" | "unanswered" | "locked" | "stopping"

const refused = labelledCounter({
  name: "increments_refused_total",
  description: "Increments answered 503, by the reason.",
  label: "reason",
  values: ["queue", "outage", "late", "unanswered", "locked", "stopping"],
})

const answersFor = (dependency: Unavailable["dependency"]) =>
  RETRY_AFTER.map((retryAfterSeconds) => new Unavailable({ dependency, retryAfterSeconds }))

/** Made once: a refusal under overload costs almost nothing. */
const CAPACITY = answersFor("capacity")
const DATABASE = answersFor("database")

/** Counts one refusal and gives its answer. */
export type Refuse = (reason: Reason) => Effect.Effect<never, Unavailable>

export const makeRefuse = Effect.gen(function* () {
  const random = yield* Random.Random
  const context = yield* Effect.context<never>()
  const refuse: Refuse = (reason) => {
    refused.addUnsafe(reason, context)
    const answers = reason === "queue" || reason === "stopping" ? CAPACITY : DATABASE
    const answer = answers[Math.floor(random.nextDoubleUnsafe() * answers.length)]
    return answer === undefined ? Effect.die("a random number outside of [0, 1)") : Effect.fail(answer)
  }
  return refuse
})
