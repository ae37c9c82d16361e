import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { check, explain } from "../../../../src/programs/process/Startup.ts"
import { address } from "../../../../src/services/Sql/SqlAddress.ts"
import { config } from "../../../../src/services/Sql/SqlDatabase.ts"

/** The line of a start with these variables; undefined = they are taken. */
const lineWith = (variables: Readonly<Record<string, string>>) =>
  check([config]).pipe(
    Effect.match({ onSuccess: () => undefined, onFailure: explain }),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables))),
  )
const lineFor = (url: string) => lineWith({ DATABASE_URL: url })

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

const APART = { DATABASE_HOST: "db.example.com", DATABASE_USER: "scoreboard", DATABASE_NAME: "scoreboard" }

/** Where the database is, with these variables. */
const addressWith = (variables: Readonly<Record<string, string>>) =>
  Effect.map(
    Effect.provide(address, ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables))),
    ({ url }) => new URL(Redacted.value(url)),
  )

describe("DATABASE_HOST and its like", () => {
  it.effect("say the same as DATABASE_URL, with any character in every part", () =>
    Effect.gen(function* () {
      const odd = "p@ss/w:o?r&d=#%2F +é"
      const url = yield* addressWith({
        DATABASE_HOST: "/var/run/postgresql",
        DATABASE_PORT: "5433",
        DATABASE_USER: odd,
        DATABASE_NAME: odd,
        DATABASE_PASSWORD: odd,
        DATABASE_SSLMODE: "verify-full",
      })
      assert.deepStrictEqual(Object.fromEntries(url.searchParams), {
        host: "/var/run/postgresql",
        port: "5433",
        user: odd,
        dbname: odd,
        password: odd,
        sslmode: "verify-full",
      })
      const short = yield* addressWith(APART)
      assert.strictEqual(short.searchParams.get("port"), "5432")
      assert.strictEqual(short.searchParams.get("sslmode"), "disable")
      assert.isFalse(short.searchParams.has("password"))
    }),
  )

  it.effect.each(
    Object.entries({
      HOST: "db",
      PORT: "5432",
      USER: "scoreboard",
      NAME: "scoreboard",
      SSLMODE: "require",
      PASSWORD: "hush",
      PASSWORD_FILE: "/run/hush",
    }),
  )("beside DATABASE_URL, DATABASE_%s is refused by its name, without a value", ([part, value]) =>
    Effect.gen(function* () {
      const line = yield* lineWith({ DATABASE_URL: BASE, [`DATABASE_${part}`]: value })
      assert.strictEqual(
        line,
        `Configuration: DATABASE_${part} is not valid (DATABASE_URL is set, too: keep one of them)`,
      )
    }),
  )

  it.effect("name everything that is missing or wrong in one line", () =>
    Effect.gen(function* () {
      const line = yield* lineWith({ DATABASE_HOST: "db", DATABASE_PORT: "x", DATABASE_SSLMODE: "no-verify" })
      assert.match(line ?? "", /^Configuration: [^\n]*$/)
      for (const name of ["USER is not set", "NAME is not set", "PORT is not valid", "SSLMODE is not valid"])
        assert.include(line, `DATABASE_${name}`)
      assert.include(yield* lineWith({}), "DATABASE_URL is not set")
    }),
  )

  it.effect("with a password and a file of it are refused", () =>
    Effect.gen(function* () {
      const line = yield* lineWith({ ...APART, DATABASE_PASSWORD: "hush", DATABASE_PASSWORD_FILE: "/x" })
      assert.include(line, "DATABASE_PASSWORD_FILE is not valid (DATABASE_PASSWORD is set, too")
      assert.notInclude(line, "hush")
    }),
  )

  it.effect("with a file that cannot be read fail the start by the variable's name", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(
        addressWith({ ...APART, DATABASE_PASSWORD_FILE: "/nowhere/password" }),
      )
      assert.match(
        explain(failure),
        /^PostgreSQL \(DATABASE_HOST\) cannot be used: DATABASE_PASSWORD_FILE cannot be read: ENOENT/,
      )
    }),
  )
})
