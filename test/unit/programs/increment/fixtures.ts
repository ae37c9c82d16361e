import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Caller } from "../../../../src/domain/ScoreboardApi.ts"
import { UserId } from "../../../../src/domain/Score.ts"
import { Increment } from "../../../../src/programs/increment/Increment.ts"
import { type Commit, Outbox } from "../../../../src/programs/increment/Outbox.ts"
import { Cognito, type CognitoFailure, type TokenRejected } from "../../../../src/services/Cognito/Cognito.ts"
import {
  type IncrementRequest,
  type IncrementRow,
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

export const row = (outcome: IncrementRow["outcome"], n = 1): IncrementRow => ({
  outcome,
  email: outcome === "counted" ? "stored@example.com" : null,
  event_id: outcome === "counted" ? String(n) : null,
  score: outcome === "counted" ? n : null,
  outbox_id: "1",
})

export interface World {
  readonly batches: Array<ReadonlyArray<IncrementRequest>>
  readonly commits: Array<Commit>
}

/** Runs a test against a database that answers a batch with `answer`. */
export const withSql = <A, E>(
  answer: (
    batch: ReadonlyArray<IncrementRequest>,
    number: number,
    limitMillis: number,
  ) => Effect.Effect<ReadonlyArray<IncrementRow>, SqlFailure>,
  test: (increment: Context.Service.Shape<typeof Increment>, world: World) => Effect.Effect<A, E>,
  profile: Effect.Effect<{ userId: UserId; email: string }, TokenRejected | CognitoFailure> = Effect.die(
    "not asked",
  ),
) => {
  const world: World = { batches: [], commits: [] }
  const services = Layer.mergeAll(
    Layer.mock(Sql)({
      increment: (batch, limitMillis = Infinity) =>
        Effect.suspend(() => answer(batch, world.batches.push(batch), limitMillis)),
    }),
    Layer.mock(Cognito)({ profile: () => profile }),
    Layer.succeed(Outbox, Outbox.of({ offer: (commit) => void world.commits.push(commit) })),
  )
  return Effect.flatMap(Increment, (increment) => test(increment, world)).pipe(
    Effect.provide(Increment.layer.pipe(Layer.provide(services))),
  )
}

export const rolledBack = (why: "data" | "deadlock") =>
  new SqlFailure({ operation: "increment", cause: new Error(why), rolledBack: why })
export const failure = new SqlFailure({ operation: "increment", cause: new Error("away") })
