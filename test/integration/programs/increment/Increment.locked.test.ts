import type * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { UserId } from "../../../../src/domain/Score.ts"
import { Increment } from "../../../../src/programs/increment/Increment.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import { until } from "../../../support/fixtures.ts"
import { watchStalls } from "../../../support/stalls.ts"
import { Engine, operatorOn } from "../../services/Sql/fixtures.ts"

const OPTIONS = { timeout: "60 seconds", excludeTestServices: true } as const

const LOCKED = "locked"
const KEY = "the key of every press"

/** Others than the locked player, and how often all of them together and the locked player press. */
const OTHERS = 40
const OTHERS_PER_SECOND = 125
const LOCKED_PER_SECOND = 2
const SECONDS = 5

const STEP_MILLIS = 8

/** What an operator does in an open transaction, and what that player's presses wait for. */
const locks: Readonly<Record<string, (sql: PgClient.PgClient) => Effect.Effect<unknown, unknown>>> = {
  scores: (sql) => sql`select from scores where user_id = ${LOCKED} for update`,
  // A player who is stored needs no row of users; one whose sign-in is not committed does.
  users: (sql) => sql`insert into users (id, email) values (${LOCKED}, 'locked@example.com')`,
  idempotency_keys: (sql) =>
    sql`insert into idempotency_keys (user_id, key, event_id) values (${LOCKED}, ${KEY}, 0)`,
  rank_node: (sql) =>
    sql`insert into rank_node as p (period, level, block, shard) select 0, 0, 3, g from generate_series(0, 15) g
      on conflict (period, level, block, shard) do update set c1 = p.c1`,
}

const programOn = (url: Parameters<typeof operatorOn>[0]) =>
  Effect.map(
    Layer.build(
      Increment.layer.pipe(
        Layer.provide([
          SqlPostgres.layerFrom(url),
          Layer.mock(Cognito)({}),
          Layer.succeed(Outbox, Outbox.of({ offer: () => {} })),
        ]),
      ),
    ),
    (context) => Context.get(context, Increment),
  )

const setup = Effect.fnUntraced(function* (table: string) {
  const url = yield* (yield* Engine).freshDatabase
  const increment = yield* programOn(url)
  const raise = (name: string, key?: string) =>
    increment.raise(
      {
        userId: UserId.make(name),
        email: `${name}@example.com`,
        tokenId: undefined,
        isTokenIdShared: false,
        signedInAtSeconds: 0,
        expiresAtSeconds: 4_000_000_000,
        accessToken: "",
      },
      key,
    )
  const operator = yield* operatorOn(url)
  for (let n = 0; n < OTHERS; n++) yield* raise(`player ${n}`)
  if (table !== "users") {
    yield* raise(LOCKED)
    yield* operator`update scores set score = 50 where user_id = ${LOCKED}`
  }
  return { operator, raise }
})

/** Locks in a transaction that stays open until `release`. */
const lockOpen = Effect.fnUntraced(function* (operator: PgClient.PgClient, table: string) {
  const lock = locks[table]
  assert.isDefined(lock)
  const isLocked = yield* Deferred.make<void>()
  const release = yield* Deferred.make<void>()
  const undo = new Error("rolled back on purpose")
  const transaction = operator.withTransaction(
    lock(operator).pipe(
      Effect.andThen(Deferred.succeed(isLocked, undefined)),
      Effect.andThen(Deferred.await(release)),
      Effect.andThen(Effect.fail(undo)),
    ),
  )
  const open = yield* Effect.forkChild(Effect.exit(transaction))
  yield* Deferred.await(isLocked)
  return Effect.andThen(Deferred.succeed(release, undefined), Fiber.await(open))
})

/** The others press steadily and the locked player now and then; how long the others waited, by when they began. */
const press = Effect.fnUntraced(function* (
  raise: (name: string, key?: string) => Effect.Effect<void, unknown>,
) {
  const { running } = yield* watchStalls
  const began = performance.now()
  const others: Array<{ readonly atMillis: number; readonly millis: number; readonly counted: boolean }> = []
  const pressing: Array<Fiber.Fiber<unknown, unknown>> = []
  const one = (name: string) =>
    Effect.gen(function* () {
      const from = performance.now()
      const exit = yield* Effect.exit(raise(name))
      const millis = running(from, performance.now())
      others.push({ atMillis: from - began, millis, counted: Exit.isSuccess(exit) })
    })
  const steps = (SECONDS * 1000) / STEP_MILLIS
  for (let step = 0; step < steps; step++) {
    pressing.push(yield* Effect.forkChild(one(`player ${step % OTHERS}`)))
    if (step % (OTHERS_PER_SECOND / LOCKED_PER_SECOND) < 1) {
      pressing.push(yield* Effect.forkChild(Effect.exit(raise(LOCKED, KEY))))
    }
    const due = began + (step + 1) * STEP_MILLIS
    yield* Effect.sleep(Math.max(0, due - performance.now()))
  }
  yield* Fiber.awaitAll(pressing)
  return others
})

layer(Engine.layer, OPTIONS)("Increment, while an operator's transaction locks a row", (it) => {
  for (const table of Object.keys(locks)) {
    it.effect(`of ${table}: answers everybody else, and the player again afterwards`, () =>
      Effect.gen(function* () {
        const { operator, raise } = yield* setup(table)
        const release = yield* lockOpen(operator, table)
        const others = yield* press(raise)
        assert.strictEqual(others.filter(({ counted }) => !counted).length, 0, "refused")
        const later = others
          .filter(({ atMillis }) => atMillis >= 1_000)
          .map(({ millis }) => millis)
          .toSorted((a, b) => a - b)
        assert.isAtMost(later[Math.floor(later.length * 0.99)] ?? 0, 300)

        yield* release
        yield* until("the player is counted again", Effect.exit(raise(LOCKED)), Exit.isSuccess, "3 seconds")
        const [total] = yield* operator<{ score: number }>`
          select coalesce(sum(score), 0)::float8 as score from scores where user_id <> ${LOCKED}`
        assert.strictEqual(total?.score, OTHERS + others.length)
      }),
    )
  }
})
