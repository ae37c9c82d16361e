import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TcpProxy from "../../../support/engines/TcpProxy.ts"
import { Engine, serviceOn } from "./fixtures.ts"

/** Cuts spread over a start, which takes some 100 ms against an empty database. */
const CUTS = Array.from({ length: 30 }, (_, n) => n * 5)

layer(Engine.layer, { timeout: "60 seconds", excludeTestServices: true })("The start of Sql", (it) => {
  it.effect("fails as PostgreSQL being away, whenever the connection is cut", () =>
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
})
