import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { dirname, join, matchesGlob, relative } from "node:path"

const root = join(import.meta.dirname, "../../..")

/** Modules of Effect by their path: a barrel doubles the start-up time. `effect/sql` is for what speaks SQL. */
const EFFECT = ["effect/[A-Z]*", "effect/!(sql)/[A-Z]*"]
/** Node's own modules but its timers: a test cannot move those. */
const NODE = ["node:!(timers)", "node:!(timers)/*"]

interface Room {
  readonly files: string
  /** Repository paths and packages, as globs. A folder's own files are always allowed. */
  readonly may: ReadonlyArray<string>
  /** Of these only types. */
  readonly types?: ReadonlyArray<string>
}

/** What each service beside its contract may load: its own folder, the domain, and its driver. */
const service = (name: string, ...drivers: ReadonlyArray<string>): Room => ({
  files: `src/services/${name}/**`,
  may: [...EFFECT, "src/domain/**", "src/foundation/**", ...drivers],
})

/** A contract is read without its drivers. */
const contract = (name: string): Room => ({
  files: `src/services/${name}/${name}.ts`,
  may: ["effect/[A-Z]*", "src/domain/**"],
})

const program = (name: string, ...below: ReadonlyArray<string>): Room => ({
  files: `src/programs/${name}/**`,
  may: [
    ...EFFECT,
    "src/domain/**",
    "src/foundation/**",
    "src/services/**",
    ...below.map((room) => `src/programs/${room}/**`),
  ],
})

/** What tests and benches use that see the system from outside. */
const OUTSIDE = [
  ...EFFECT,
  ...NODE,
  "@effect/**",
  "test/support/**",
  "src/domain/**",
  "src/client/**",
  "ws",
  "ioredis",
  "pg",
]
const STATEMENTS = ["src/services/Sql/**", "effect/sql/[A-Z]*"]
const BENCH = [
  ...OUTSIDE,
  "bench/**",
  "@aws-sdk/client-sqs",
  "aws-jwt-verify{,/**}",
  "express",
  "fastify",
  "playwright-core",
  "socket.io",
  "vite",
]

/** The house as a table: the first row that fits a file holds. CONTRIBUTING.md says it in words. */
const HOUSE: ReadonlyArray<Room> = [
  { files: "src/foundation/**", may: EFFECT },
  { files: "src/domain/**", may: ["effect/[A-Z]*", "effect/http-api/[A-Z]*"] },
  ...["Cognito", "Redis", "Sqs"].map(contract),
  service(
    "Cognito",
    "@aws-sdk/client-cognito-identity-provider",
    "aws-jwt-verify{,/**}",
    "effect/sql/[A-Z]*",
    ...NODE,
  ),
  service("EmbeddedPostgres", ...NODE),
  service("Listener", "@effect/platform-node/[A-Z]*", ...NODE),
  service("Redis", "ioredis", ...NODE),
  service("SocketHub", "ws", ...NODE),
  { files: "src/services/Sql/migrations/**", may: ["effect/[A-Z]*", "effect/sql/[A-Z]*"] },
  service("Sql", "effect/sql/[A-Z]*", "@effect/sql-pg/[A-Z]*", "@effect/platform-node/[A-Z]*"),
  // A process that uses the queue in memory does not load the SDK.
  {
    files: "src/services/Sqs/SqsMemory*.ts",
    may: ["effect/[A-Z]*", "src/services/Sqs/Sqs{,BatchLimits,MemoryQueue}.ts"],
  },
  service(
    "Sqs",
    "@aws-sdk/client-sqs",
    "@aws-sdk/credential-provider-node",
    "@effect/platform-node/Undici",
    "node:async_hooks",
  ),
  {
    files: "src/services/Receipts.ts",
    may: [...EFFECT, ...NODE, "src/domain/**", "src/foundation/**", "jose"],
  },
  { files: "src/services/*.ts", may: [...EFFECT, ...NODE, "src/domain/**", "src/foundation/**"] },
  program("observe"),
  program("upkeep", "observe"),
  program("increment", "observe"),
  program("board", "observe"),
  program("http", "increment", "board", "observe"),
  program("admin"),
  program("process", "http", "increment", "board", "upkeep", "observe"),
  { files: "src/client/**", may: [], types: ["src/domain/**"] },
  {
    files: "src/main-*.ts",
    may: [...EFFECT, ...NODE, "@effect/**", "src/services/**", "src/programs/**"],
  },
  { files: "web/*.config.ts", may: [...NODE, "vite"] },
  {
    files: "web/**",
    may: ["preact", "preact/**", "src/client/**"],
    types: ["src/domain/**"],
  },
  // These measure the statements, or the calls to the queue; every other bench uses what is public.
  { files: "bench/{ranks,size,players,ranksStatistics}.ts", may: [...BENCH, ...STATEMENTS] },
  { files: "bench/size/*.ts", may: [...BENCH, ...STATEMENTS] },
  { files: "bench/sqs.ts", may: [...BENCH, "src/services/Sqs/**"] },
  { files: "bench/**", may: BENCH },
  {
    files: "test/e2e/**",
    may: [...OUTSIDE, "test/faults/**", "@aws-sdk/*", "axe-core", "playwright-core", "vite"],
  },
]

interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

const STATEMENT = /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gms

/** What a file imports or re-exports: packages by name, files of the repository by path. */
const importsOf = (path: string): ReadonlyArray<Import> =>
  Array.from(readFileSync(join(root, path), "utf8").matchAll(STATEMENT), ([, type, from, dynamic]) => {
    const specifier = from ?? dynamic ?? ""
    const isFile = specifier.startsWith(".")
    return {
      target: isFile ? relative(root, join(root, dirname(path), specifier)) : specifier,
      typeOnly: type !== undefined,
    }
  })

const matches = (target: string, globs: ReadonlyArray<string>) =>
  globs.some((glob) => matchesGlob(target, glob))

const sources = globSync("{src,web,bench,test/e2e}/**/*.{ts,tsx}", { cwd: root })

describe("The house", () => {
  it("has a row for every file, and every row has files", () => {
    const rowOf = (path: string) => HOUSE.find(({ files }) => matchesGlob(path, files))
    assert.deepStrictEqual(
      sources.filter((path) => rowOf(path) === undefined),
      [],
    )
    assert.deepStrictEqual(
      HOUSE.filter((row) => !sources.some((path) => rowOf(path) === row)).map(({ files }) => files),
      [],
    )
    assert.isAbove(sources.flatMap(importsOf).length, 1000)
  })

  for (const [at, { files, may, types = [] }] of HOUSE.entries()) {
    it(`${files} imports only what its row allows`, () => {
      const mine = sources.filter(
        (path) =>
          matchesGlob(path, files) && !HOUSE.slice(0, at).some((earlier) => matchesGlob(path, earlier.files)),
      )
      const strays = mine.flatMap((path) =>
        importsOf(path)
          .filter(
            ({ target, typeOnly }) =>
              !matches(target, files.endsWith("/**") ? [files, ...may] : may) &&
              !(typeOnly && matches(target, types)),
          )
          .map(({ target }) => `${path} imports ${target}`),
      )
      assert.deepStrictEqual(strays, [])
    })
  }
})
