import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Unavailable } from "../../domain/Errors.ts"
import { makeAdmission } from "../../foundation/Admission.ts"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"
import { READS_AT_ONCE } from "../../services/Sql/Sql.ts"

const refused = labelledCounter({
  name: "reads_refused_total",
  description: "Reads answered 503 because too many waited, by what they wanted to read.",
  label: "read",
  values: ["page", "player"],
})

/** Seconds of `Retry-After`, at random: callers who are refused together do not return together. */
const RETRY_AFTER = [1, 3] as const

const refuse = (read: "page" | "player") =>
  Effect.gen(function* () {
    yield* refused.add(read)
    const retryAfterSeconds = yield* Random.nextIntBetween(...RETRY_AFTER)
    return yield* new Unavailable({ dependency: "capacity", retryAfterSeconds })
  })

type Bound = <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Unavailable, R>

/** Where reads wait that many people can ask for at once. Those that find too many waiting are answered 503 at once. */
export class BoundedReads extends Context.Service<
  BoundedReads,
  {
    /** For pages of ranks, which need no token. */
    readonly page: Bound
    /** For what signed-in players read of themselves. */
    readonly player: Bound
  }
>()("scoreboard/programs/BoundedReads") {
  static readonly layer = Layer.sync(BoundedReads, () =>
    BoundedReads.of({
      // A page takes 1 to 4 ms of the database, so 125 to 500 of those that wait are read within the time.
      page: makeAdmission({
        places: READS_AT_ONCE.page,
        waiting: 1000,
        patience: "250 millis",
        refuse: refuse("page"),
      }),
      // As long as an increment may wait for a committer. A read takes less than a millisecond.
      player: makeAdmission({
        places: READS_AT_ONCE.player,
        waiting: 1000,
        patience: "1 second",
        refuse: refuse("player"),
      }),
    }),
  )
}
