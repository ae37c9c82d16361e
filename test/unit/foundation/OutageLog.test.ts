import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { outageLog } from "../../../src/foundation/OutageLog.ts"

describe("outageLog", () => {
  it.effect("logs the first failure and the first success of every outage, and passes both on", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.layer([
        Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`)),
      ])
      const logged = outageLog({ begins: "It is broken", ends: "It works again" })
      yield* Effect.gen(function* () {
        for (const cause of ["one", "two"]) {
          for (let n = 0; n < 3; n++) assert.strictEqual(yield* logged(Effect.succeed(n)), n)
          for (let n = 0; n < 3; n++)
            assert.strictEqual(yield* Effect.flip(logged(Effect.fail(cause))), cause)
        }
        yield* logged(Effect.void)
      }).pipe(Effect.provide(logger))
      assert.deepStrictEqual(lines, [
        "Warn It is broken,one",
        "Info It works again",
        "Warn It is broken,two",
        "Info It works again",
      ])
    }),
  )
})
