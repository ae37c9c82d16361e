import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { check, explain, type Settings } from "../../../../src/programs/process/Startup.ts"

const settings: Settings = {
  port: Config.schema(Schema.FiniteFromString, "PORT"),
  mode: Config.schema(Schema.Literals(["full", "masked"]), "MODE"),
  origins: Config.schema(Schema.Array(Schema.NonEmptyString), "ORIGINS"),
  optional: Config.option(Config.schema(Schema.FiniteFromString, "OPTIONAL")),
}

const lineFor = (env: Readonly<Record<string, string>>) =>
  Effect.flip(check([settings])).pipe(
    Effect.map(explain),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))),
  )

describe("The settings of a process", () => {
  it.effect("that are missing are named in one line, the optional ones not", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* lineFor({}),
        "Configuration: PORT is not set; MODE is not set; ORIGINS is not set",
      )
    }),
  )

  it.effect(
    "that are malformed are named in one line, each with what is expected and without its value",
    () =>
      Effect.gen(function* () {
        const line = yield* lineFor({ PORT: "secret", MODE: "secret", ORIGINS: "secret", OPTIONAL: "secret" })
        assert.match(
          line,
          /^Configuration: PORT is not valid \(Expected [^\n;]+\); MODE is not valid \(Expected "full" \| "masked"\); ORIGINS is not valid \([^\n;]+\); OPTIONAL is not valid \([^\n;]+\)$/,
        )
        assert.notInclude(line, "secret")
      }),
  )

  it.effect("that are complete and well-formed let the process start", () =>
    check([{ port: Config.schema(Schema.FiniteFromString, "PORT") }]).pipe(
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ PORT: "80" }))),
    ),
  )
})
