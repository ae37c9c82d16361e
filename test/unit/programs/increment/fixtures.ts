import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Caller } from "../../../../src/domain/ScoreboardApi.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { Increment } from "../../../../src/programs/increment/Increment.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import type { Commit } from "../../../../src/programs/increment/OutboxSender.ts"
import { Cognito, type CognitoFailure, type TokenRejected } from "../../../../src/services/Cognito/Cognito.ts"
import {
  type IncrementAnswer,
  type IncrementOutcome,
  type IncrementRequest,
  Sql,
  SqlFailure,
} from "../../../../src/services/Sql/Sql.ts"

export const caller = (id: string): Caller => ({
  userId: UserId.make(id),
  email: `${id}@example.com`,
  tokenId: `token of ${id}`,
  expiresAtSeconds: 4_000_000_000,
  accessToken: `access token of ${id}`,
})

/** An outcome by its tag; a counted one is the n-th event, and the player's n-th point. */
export const outcome = (tag: IncrementOutcome["_tag"], n = 1): IncrementOutcome =>
  tag === "Counted" ? { _tag: tag, eventId: String(n), email: "stored@example.com", score: n } : { _tag: tag }

export interface World {
  readonly batches: Array<ReadonlyArray<IncrementRequest>>
  readonly commits: Array<Commit>
}

/** Runs a test against a database that answers a batch with `answer`. */
export const withSql = <A, E>(
  answer: (
    batch: ReadonlyArray<IncrementRequest>,
    number: number,
    aside: boolean,
  ) => Effect.Effect<ReadonlyArray<IncrementOutcome>, SqlFailure>,
  test: (increment: Context.Service.Shape<typeof Increment>, world: World) => Effect.Effect<A, E>,
  profile: Effect.Effect<{ userId: UserId; email: string }, TokenRejected | CognitoFailure> = Effect.die(
    "not asked",
  ),
) => {
  const world: World = { batches: [], commits: [] }
  const answerBatch = (batch: ReadonlyArray<IncrementRequest>, aside: boolean) =>
    Effect.map(
      Effect.suspend(() => answer(batch, world.batches.push(batch), aside)),
      (outcomes): IncrementAnswer => ({
        outcomes,
        outboxId: outcomes.some(({ _tag }) => _tag === "Counted") ? "1" : undefined,
      }),
    )
  const services = Layer.mergeAll(
    Layer.mock(Sql)({
      increment: (batch) => answerBatch(batch, false),
      incrementAside: (batch) => answerBatch(batch, true),
    }),
    Layer.mock(Cognito)({ profile: () => profile }),
    Layer.succeed(Outbox, Outbox.of({ offer: (commit) => void world.commits.push(commit) })),
  )
  return Effect.flatMap(Increment, (increment) => test(increment, world)).pipe(
    Effect.provide(Increment.layer.pipe(Layer.provide(services))),
  )
}

export const rolledBack = (why: NonNullable<SqlFailure["rolledBack"]>) =>
  new SqlFailure({ operation: "increment", cause: new Error(why), rolledBack: why })
export const failure = new SqlFailure({ operation: "increment", cause: new Error("away") })
