import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { UserId } from "../../../../src/domain/Score.ts"
import { type IncrementRequest, Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import * as Postgres from "../../../support/engines/Postgres.ts"

/** One PostgreSQL for all tests of a file; each test gets a database of its own. */
export class Engine extends Context.Service<Engine, Postgres.PostgresEngine>()("test/SqlEngine") {
  static readonly layer = Layer.effect(Engine, Postgres.make())
}

/** The service on a database, as one process has it. */
export const serviceOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(SqlPostgres.layerFrom(url)), (context) => Context.get(context, Sql))

/** An operator's own connections to a database. */
export const operatorOn = (url: Redacted.Redacted) =>
  Effect.map(Layer.build(PgClient.layer({ url, maxConnections: 4 })), (context) =>
    Context.get(context, PgClient.PgClient),
  )

/** A fresh database with the schema, the service on it, and an operator beside it. */
export const setup = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  return { url, sql: yield* serviceOn(url), operator: yield* operatorOn(url) }
})

/** Does something in a transaction, gives what came of it, and rolls it back. */
export const rolledBack = <A, E>(operator: PgClient.PgClient, work: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    let seen: A | undefined
    const undo = new Error("rolled back on purpose")
    const outcome = yield* Effect.flip(
      operator.withTransaction(
        Effect.flatMap(work, (value) => {
          seen = value
          return Effect.fail(undo)
        }),
      ),
    )
    return outcome === undo ? seen : yield* Effect.fail(outcome)
  })

/** A request of a player whose e-mail is known. */
export const by = (
  player: string,
  rest: Partial<Omit<IncrementRequest, "userId">> = {},
): IncrementRequest => ({
  userId: UserId.make(player),
  email: `${player}@example.com`,
  key: undefined,
  tokenId: undefined,
  ...rest,
})

/** Does something, and collects what it logs. */
export const logged = <A, E, R>(work: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message, fiber }) => {
    lines.push(JSON.stringify([message, fiber.getRef(References.CurrentLogAnnotations)]))
  })
  return { lines, work: Effect.provide(work, Logger.layer([logger])) }
}
