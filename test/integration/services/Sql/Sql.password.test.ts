import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { inspect } from "node:util"
import { UserId } from "../../../../src/domain/Score.ts"
import { Increment } from "../../../../src/programs/increment/Increment.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import { explain } from "../../../../src/programs/process/Startup.ts"
import { Cognito } from "../../../../src/services/Cognito/Cognito.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import { temporaryFolder } from "../../../support/fixtures.ts"
import { Engine, operatorOn } from "./fixtures.ts"

/** How many increments there are in a second, from how many players. */
const PER_SECOND = 200
const PLAYERS = 40

/** Longer than any connection lives. */
const LIFE_NANOS = 12n * 60n * 1_000_000_000n

/** A database of a role whose password is in a file, and who changes it. */
const setup = Effect.gen(function* () {
  const url = yield* (yield* Engine).freshDatabase
  const operator = yield* operatorOn(url)
  const { hostname, port, pathname } = new URL(Redacted.value(url))
  const name = pathname.slice(1)
  const role = `role_of_${name}`
  const file = join(yield* temporaryFolder, "password")
  const inFile = (password: string) => Effect.promise(() => writeFile(file, `${password}\n`))
  const inDatabase = (password: string) => operator.unsafe(`alter role ${role} password '${password}'`)
  yield* operator`create role ${operator(role)} login`
  yield* operator`alter database ${operator(name)} owner to ${operator(role)}`
  const environment = {
    DATABASE_HOST: hostname,
    DATABASE_PORT: port,
    DATABASE_USER: role,
    DATABASE_NAME: name,
    DATABASE_PASSWORD_FILE: file,
  }
  return { operator, role, inFile, inDatabase, environment }
})

/** The service as a process has it from its variables. `age` ends the life of every connection. */
const serviceWith = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>>) {
  const clock = yield* Clock.Clock
  let ahead = 0n
  const aged = () => clock.monotonicTimeNanosUnsafe() + ahead
  const shifted: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: aged,
    monotonicTimeNanos: Effect.sync(aged),
    sleep: (duration) => clock.sleep(duration),
  }
  const services = yield* Layer.build(SqlPostgres.layer).pipe(
    Effect.provideService(Clock.Clock, shifted),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))),
  )
  return {
    sql: Context.get(services, Sql),
    age: Effect.sync(() => (ahead += LIFE_NANOS)),
  }
})

/** What is logged, with all details. */
const collected = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(inspect(message, { depth: 10 })))
  return { lines, logger: Logger.layer([logger]) }
}

/** The write path on a service: one press of a player. */
const pressesOn = (sql: Sql["Service"]) =>
  Layer.build(
    Increment.layer.pipe(
      Layer.provide([
        Layer.succeed(Sql, sql),
        Layer.mock(Cognito)({}),
        Layer.succeed(Outbox, Outbox.of({ offer: () => {} })),
      ]),
    ),
  ).pipe(
    Effect.map(
      (context) => (player: string) =>
        Context.get(context, Increment).raise(
          {
            userId: UserId.make(player),
            email: `${player}@example.com`,
            tokenId: undefined,
            isTokenIdShared: false,
            signedInAtSeconds: 0,
            expiresAtSeconds: 4_000_000_000,
            accessToken: "",
          },
          undefined,
        ),
    ),
  )

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("DATABASE_PASSWORD_FILE", (it) => {
  it.effect("is changed under load, and no increment fails while every connection is replaced", () => {
    const { lines, logger } = collected()
    return Effect.gen(function* () {
      const { operator, role, inFile, inDatabase, environment } = yield* setup
      yield* Effect.andThen(inDatabase("first"), inFile("first"))
      const { sql, age } = yield* serviceWith(environment)
      const press = yield* pressesOn(sql)
      const presses: Array<Fiber.Fiber<unknown, unknown>> = []
      const began = performance.now()
      const load = yield* Effect.forkChild(
        Effect.forever(
          Effect.gen(function* () {
            const at = presses.length
            presses.push(yield* Effect.forkScoped(press(`player ${at % PLAYERS}`)))
            yield* Effect.sleep(Math.max(0, began + (presses.length * 1000) / PER_SECOND - performance.now()))
          }),
        ),
      )
      const opened = new Set<number>()
      const note = Effect.gen(function* () {
        const rows = yield* operator<{ readonly pid: number }>`
select pid from pg_stat_activity where usename = ${role} and application_name = 'scoreboard commit'`
        for (const { pid } of rows) opened.add(pid)
      })
      const replaced = Effect.all([age, Effect.sleep("150 millis"), note], { discard: true })
      // The file comes at once, a moment later, and after longer than a new connection is tried.
      for (const [number, pause] of [0, 300, 3000, 0].entries()) {
        const password = `secret-${number}`
        yield* inDatabase(password)
        yield* age
        yield* Effect.sleep(pause)
        yield* note
        yield* inFile(password)
        for (let times = 0; times < 3; times++) yield* replaced
      }
      yield* Fiber.interrupt(load)
      const results = yield* Effect.forEach(presses, (fiber) => Effect.result(Fiber.join(fiber)))
      const failed = results.flatMap((result) => (result._tag === "Failure" ? [String(result.failure)] : []))
      assert.deepStrictEqual(failed.slice(0, 3), [], `${failed.length} of ${presses.length} failed`)
      assert.isAbove(presses.length, 4 * PER_SECOND)
      assert.isAbove(opened.size, 5, "connections of the committers")
      const [row] = yield* operator<{ readonly sum: number }>`select sum(score)::int as sum from scores`
      assert.strictEqual(row?.sum, presses.length)
      assert.notMatch(lines.join("\n"), /secret-|first/)
      assert.include(lines.join("\n"), "The database refuses the password in its file")
    }).pipe(Effect.scoped, Effect.provide(logger))
  })

  it.effect("is read again by a start whose first password is refused", () =>
    Effect.gen(function* () {
      const { inFile, inDatabase, environment } = yield* setup
      yield* Effect.andThen(inDatabase("second"), inFile("first"))
      const start = yield* Effect.forkChild(serviceWith(environment))
      yield* Effect.sleep("200 millis")
      yield* inFile("second")
      yield* (yield* Fiber.join(start)).sql.ping
    }).pipe(Effect.scoped),
  )

  it.effect("with a password that stays wrong fails the start in one line without the password", () =>
    Effect.gen(function* () {
      const { inFile, inDatabase, environment } = yield* setup
      yield* Effect.andThen(inDatabase("right"), inFile("hush-hush"))
      const line = explain(yield* Effect.flip(serviceWith(environment)))
      assert.match(
        line,
        /^PostgreSQL \(DATABASE_HOST\) cannot be used: password authentication failed for user/,
      )
      assert.notInclude(line, "hush")
    }).pipe(Effect.scoped),
  )
})
