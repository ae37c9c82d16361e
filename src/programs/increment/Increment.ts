import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Forbidden, Unauthorized, type Unavailable, type UnverifiedEmail } from "../../domain/Errors.ts"
import type { Caller } from "../../domain/ScoreboardApi.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { Cognito } from "../../services/Cognito/Cognito.ts"
import { collectedSpan } from "../observe/TraceContext.ts"
import { startCommitters } from "./Committers.ts"
import { makeProfileEmail } from "./ProfileEmail.ts"

const increments = labelledCounter({
  name: "increments_total",
  description: "Requests to raise a score, by outcome.",
  label: "outcome",
  values: ["counted", "duplicate", "unknown", "unverified", "hidden", "full", "revoked", "unavailable"],
})

const LABELS = {
  Counted: "counted",
  Duplicate: "duplicate",
  UnknownPlayer: "unknown",
  Hidden: "hidden",
  Full: "full",
  Revoked: "revoked",
} as const

/** The write path: from an authorised request to its committed outcome. */
export class Increment extends Context.Service<
  Increment,
  {
    /**
     * Raises the caller's score by one; succeeds when that is committed. A repeat under the same key succeeds and
     * counts nothing. After `Unavailable` the outcome is unknown, and only a repeat under the same key is safe.
     */
    raise(
      caller: Caller,
      key: string | undefined,
    ): Effect.Effect<void, Unauthorized | Forbidden | UnverifiedEmail | Unavailable>
  }
>()("scoreboard/programs/Increment") {
  static readonly layer = Layer.effect(
    Increment,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const profileEmail = makeProfileEmail(yield* Cognito)
  const commit = yield* startCommitters

  const outcomeOf = Effect.fnUntraced(function* (caller: Caller, key: string | undefined) {
    const { userId, email, tokenId, signedInAtSeconds } = caller
    const request = { userId, email, key, tokenId, signedInAtSeconds }
    const span = yield* collectedSpan
    const outcome = yield* commit(request, span)
    if (outcome._tag !== "UnknownPlayer") return outcome
    return yield* commit({ ...request, email: yield* profileEmail(caller) }, span)
  })

  const raise = Effect.fnUntraced(function* (caller: Caller, key: string | undefined) {
    const { _tag } = yield* outcomeOf(caller, key)
    yield* increments.add(LABELS[_tag])
    switch (_tag) {
      case "Counted":
      case "Duplicate":
        return
      case "Hidden":
      case "Full":
        return yield* new Forbidden()
      case "Revoked":
      case "UnknownPlayer":
        return yield* new Unauthorized()
    }
  })

  return Increment.of({
    raise: (caller, key) =>
      Effect.tapError(raise(caller, key), (error) => {
        if (error._tag === "Unavailable") return increments.add("unavailable")
        return error._tag === "UnverifiedEmail" ? increments.add("unverified") : Effect.void
      }),
  })
})
