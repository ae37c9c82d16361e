import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { basename, dirname, join, matchesGlob, relative } from "node:path"

const root = join(import.meta.dirname, "../../..")

/** Modules of Effect by their path: a barrel doubles the start-up time. `effect/sql` is for what speaks SQL. */
const EFFECT = ["effect/[A-Z]*", "effect/!(sql)/[A-Z]*"]
/** Node's own modules but its timers: a test cannot move those. */
const NODE = ["node:!(timers)", "node:!(timers)/*"]

interface Room {
  readonly files: string
  /** Paths in the repository and packages, as globs. A folder may always import its own files. */
  readonly may: ReadonlyArray<string>
  /** Paths of which it may import types only. */
  readonly types?: ReadonlyArray<string>
}

/** A service: its own folder, the domain, what several services share, and its driver. */
const service = (name: string, ...drivers: ReadonlyArray<string>): Room => ({
  files: `src/services/${name}/**`,
  may: [...EFFECT, "src/domain/**", "src/foundation/**", ...drivers],
})

/** The contract of a service has no driver. */
const contract = (name: string): Room => ({
  files: `src/services/${name}/${name}.ts`,
  may: ["effect/[A-Z]*", "src/domain/**"],
})

/** What else PostgreSQL does, by who may call it; all of it fails as `Sql` does. */
const sqlContract = (name: string): Room => ({
  files: `src/services/Sql/${name}.ts`,
  may: ["effect/[A-Z]*", "src/domain/**", "src/services/Sql/Sql.ts"],
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

/** For tests and benches that see the system from outside. */
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
/** What tests use that run parts of the system in their own process. */
const INSIDE = [...OUTSIDE, "src/**", "edge/src/**", "test/contracts/**"]
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

/** What every folder may import. The first row that matches a file counts. CONTRIBUTING.md says it in words. */
const HOUSE: ReadonlyArray<Room> = [
  { files: "src/foundation/**", may: EFFECT },
  // The page loads them.
  { files: "src/domain/{NewerBoard,EntityTag}.ts", may: [] },
  { files: "src/domain/**", may: ["effect/[A-Z]*", "effect/http-api/[A-Z]*"] },
  ...["Cognito", "Redis", "Sql", "Sqs"].map(contract),
  ...["SqlModeration", "SqlUpkeep", "SqlLevels", "SqlSchema"].map(sqlContract),
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
  { files: "src/client/**", may: ["src/domain/{NewerBoard,EntityTag}.ts"], types: ["src/domain/**"] },
  {
    files: "src/main-*.ts",
    may: [...EFFECT, ...NODE, "@effect/**", "src/services/**", "src/programs/**"],
  },
  // A Worker has no Node: it shares a few rules with the API, each in a file that imports nothing.
  {
    files: "edge/src/**",
    may: ["src/foundation/{ClientNetwork,LruMap,PublicHttp}.ts", "src/domain/EntityTag.ts"],
  },
  { files: "edge/scripts/**", may: [...NODE, "edge/src/**", "edge/wrangler.json", "esbuild", "miniflare"] },
  { files: "web/*.config.ts", may: [...NODE, "vite"] },
  {
    files: "web/**",
    may: ["preact", "preact/**", "src/client/**"],
    types: ["src/domain/**"],
  },
  // These measure the statements, or the calls to the queue, or need many players. Every other bench uses the public API
  // only.
  {
    files: "bench/{ranks,size,players,ranksStatistics,oldSnapshot,generated}.ts",
    may: [...BENCH, ...STATEMENTS],
  },
  { files: "bench/size/*.ts", may: [...BENCH, ...STATEMENTS] },
  { files: "bench/sqs.ts", may: [...BENCH, "src/services/Sqs/**"] },
  { files: "bench/**", may: BENCH },
  // One kind of tests never imports another: what several need is in test/support.
  {
    files: "test/support/engines/**",
    may: [
      ...OUTSIDE,
      "effect/sql/[A-Z]*",
      "@aws-sdk/client-sqs",
      "fauxqs",
      "src/services/EmbeddedPostgres/**",
    ],
  },
  { files: "test/support/**", may: OUTSIDE },
  { files: "test/contracts/**", may: [...EFFECT, "@effect/vitest", "src/domain/**", "src/services/**"] },
  {
    files: "test/unit/**",
    may: [...INSIDE, "effect/sql/[A-Z]*", "aws-jwt-verify/**", "@aws-sdk/client-sqs", "web/src/**"],
  },
  { files: "test/integration/**", may: [...INSIDE, "effect/sql/[A-Z]*"] },
  // The player's visit through the generated client; it knows nothing of this repository.
  { files: "test/openapi/**", may: [] },
  { files: "test/faults/**", may: OUTSIDE },
  { files: "test/ship/**", may: OUTSIDE },
  { files: "test/e2e/**", may: [...OUTSIDE, "@aws-sdk/*", "axe-core", "playwright-core", "vite"] },
]

interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

const STATEMENT = /^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gms

/** The imports and re-exports of a file: packages by name, files of the repository by path. */
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

const sources = globSync("{src,web,edge,bench,test}/**/*.{ts,tsx}", {
  cwd: root,
  exclude: ["**/node_modules/**"],
})

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

  it("has names that are unique in src", () => {
    const names = sources.filter((path) => path.startsWith("src/")).map((path) => basename(path))
    assert.deepStrictEqual(
      names.filter((name, at) => names.indexOf(name) !== at),
      [],
    )
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
