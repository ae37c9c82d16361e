import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PORTS, readOptions, SERVICES } from "../../../scripts/services/Options.ts"

/** What a command line says; what is wrong with it when it is refused. */
const read = (...args: ReadonlyArray<string>) => Effect.runSync(Effect.result(readOptions(args)))
const refusal = (...args: ReadonlyArray<string>) => {
  const result = read(...args)
  return result._tag === "Failure" ? result.failure.message : undefined
}

describe("The options of `npm run dev:services`", () => {
  it("are everything on loopback unless others are given", () => {
    const result = read()
    assert.ok(result._tag === "Success" && result.success !== "help")
    const { services, ports, host, publicHost } = result.success
    assert.deepStrictEqual({ services, ports }, { services: SERVICES, ports: PORTS })
    assert.deepStrictEqual([host, publicHost], ["127.0.0.1", "127.0.0.1"])
  })

  it("let the emulators alone listen elsewhere, under the name that others know them by", () => {
    const result = read("--only", "sqs, cognito", "--host", "0.0.0.0", "--public-host", "emulators")
    assert.ok(result._tag === "Success" && result.success !== "help")
    assert.deepStrictEqual(result.success.services, ["sqs", "cognito"])
    assert.deepStrictEqual([result.success.host, result.success.publicHost], ["0.0.0.0", "emulators"])
    assert.include(refusal("--host", "0.0.0.0"), "--host 0.0.0.0 is for the emulators alone")
  })

  it.each([
    [["--only", "redis,mysql"], "--only takes postgres, redis, sqs, cognito; --help shows the options"],
    [["--sqs-port", "x"], "--sqs-port has to be a port; --help shows the options"],
    [["--redis-port", "65536"], "--redis-port has to be a port; --help shows the options"],
    [["--nonsense"], "Unknown option '--nonsense'"],
    [["postgres"], "Unexpected argument 'postgres'"],
  ])("are refused in one line when they are %s", (args, problem) => {
    const said = refusal(...args) ?? ""
    assert.include(said, problem)
    assert.notInclude(said, "\n")
  })
})
