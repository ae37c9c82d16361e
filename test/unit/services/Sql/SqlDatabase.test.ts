import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { check, explain } from "../../../../src/programs/process/Startup.ts"
import { config } from "../../../../src/services/Sql/SqlDatabase.ts"

/** The line of a start with this `DATABASE_URL`; undefined = it is taken. */
const lineFor = (url: string) =>
  check([config]).pipe(
    Effect.match({ onSuccess: () => undefined, onFailure: explain }),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ DATABASE_URL: url }))),
  )

const BASE = "postgres://scoreboard:hush@db.example.com:5432/scoreboard"

describe("DATABASE_URL", () => {
  it.effect.each([
    "",
    "?sslmode=require",
    "?sslmode=verify-full&options=-c%20search_path%3Dapp",
    "?host=%2Fvar%2Frun%2Fpostgresql&port=5433&user=u&password=hush&dbname=d",
  ])("may end in '%s'", (query) =>
    Effect.gen(function* () {
      assert.isUndefined(yield* lineFor(BASE + query))
    }),
  )

  it.effect.each([
    "target_session_attrs",
    "sslrootcert",
    "connect_timeout",
    "application_name",
    "pgbouncer",
    "SSLMODE",
    "channel_binding",
  ])("with the parameter %s is refused by its name, without a value", (name) =>
    Effect.gen(function* () {
      const line = yield* lineFor(`${BASE}?sslmode=require&${name}=hush`)
      assert.match(line ?? "", new RegExp(`^Configuration: DATABASE_URL is not valid \\(unknown: ${name};`))
      assert.notInclude(line ?? "", "hush")
      assert.notInclude(line ?? "", "example.com")
    }),
  )

  it.effect("with another sslmode than PostgreSQL's is refused", () =>
    Effect.gen(function* () {
      assert.match((yield* lineFor(`${BASE}?sslmode=no-verify`)) ?? "", /sslmode may be disable, allow,/)
    }),
  )
})
