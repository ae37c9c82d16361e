import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { SqlModeration } from "../../../../src/services/Sql/SqlModeration.ts"
import * as SqlModerationPostgres from "../../../../src/services/Sql/SqlModerationPostgres.ts"
import * as SqlPostgres from "../../../../src/services/Sql/SqlPostgres.ts"
import { SqlUpkeep } from "../../../../src/services/Sql/SqlUpkeep.ts"
import * as SqlUpkeepPostgres from "../../../../src/services/Sql/SqlUpkeepPostgres.ts"
import * as TcpProxy from "../../../support/engines/TcpProxy.ts"
import { Engine, operatorOn, serviceOn } from "./fixtures.ts"

/** Cuts spread over a start, which takes some 100 ms against an empty database. */
const CUTS = Array.from({ length: 30 }, (_, n) => n * 5)

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("The start of Sql", (it) => {
  it.effect("fails because PostgreSQL is unavailable, whenever the connection is cut", () =>
    Effect.gen(function* () {
      const { freshDatabase } = yield* Engine
      for (const millis of CUTS) {
        const url = new URL(Redacted.value(yield* freshDatabase))
        const proxy = yield* TcpProxy.make(Number(url.port))
        url.port = String(proxy.port)
        const start = yield* Effect.forkChild(
          Effect.scoped(Effect.asVoid(serviceOn(Redacted.make(url.href)))),
        )
        yield* Effect.sleep(millis)
        yield* proxy.refuse
        // A defect would end the test here.
        const exit = yield* Effect.result(Fiber.join(start))
        if (exit._tag === "Failure") assert.strictEqual(exit.failure._tag, "SqlFailure", `after ${millis} ms`)
      }
    }).pipe(Effect.scoped),
  )

  it.effect(
    "opens one set of connections for all services of a process, and another for another process",
    () =>
      Effect.gen(function* () {
        const url = yield* (yield* Engine).freshDatabase
        const operator = yield* operatorOn(url)
        /** Starts a process, and makes many calls of each of its services at once. */
        const start = Effect.gen(function* () {
          const services = yield* Layer.build(
            Layer.mergeAll(
              SqlPostgres.layerFrom(url),
              SqlUpkeepPostgres.layerFrom(url),
              SqlModerationPostgres.layerFrom(url),
            ),
          )
          const calls = [
            Context.get(services, Sql).ping,
            Context.get(services, SqlUpkeep).pruneKeys(1),
            Context.get(services, SqlModeration).findPlayers("nobody"),
          ]
          for (const call of calls) {
            yield* Effect.all(
              Array.from({ length: 20 }, () => call),
              { concurrency: "unbounded", discard: true },
            )
          }
        })
        const connections = operator<{ readonly name: string; readonly open: number }>`
select application_name as name, count(*)::int as open from pg_stat_activity
where datname = current_database() and application_name like 'scoreboard %' group by 1 order by 1`
        yield* start
        // An operator's commands have a connection of their own, without the limits of the others. A pool opens its second
        // connection only if the first is busy, and at most two whatever the number of services.
        const check = Effect.fnUntraced(function* (processes: number) {
          const open = new Map((yield* connections).map((row) => [row.name, row.open]))
          assert.sameMembers([...open.keys()], ["scoreboard admin", "scoreboard player", "scoreboard vital"])
          assert.strictEqual(open.get("scoreboard admin"), processes)
          for (const name of ["scoreboard player", "scoreboard vital"])
            assert.include([processes, processes + 1, 2 * processes], open.get(name), name)
        })
        yield* check(1)
        yield* start
        yield* check(2)
      }).pipe(Effect.scoped),
  )

  it.effect(
    "draws a new epoch if the timeline in the data is ahead of the server's: it is another's dump",
    () =>
      Effect.gen(function* () {
        const url = yield* (yield* Engine).freshDatabase
        const operator = yield* operatorOn(url)
        const first = yield* (yield* serviceOn(url)).top(10)
        assert.strictEqual((yield* (yield* serviceOn(url)).top(10)).epoch, first.epoch)
        yield* operator`update board_version set n = 5000000000 where shard = 16`
        const [second, third] = [
          yield* (yield* serviceOn(url)).top(10),
          yield* (yield* serviceOn(url)).top(10),
        ]
        assert.notStrictEqual(second.epoch, first.epoch)
        assert.strictEqual(second.version, first.version)
        assert.strictEqual(third.epoch, second.epoch)
      }).pipe(Effect.scoped),
  )
})
