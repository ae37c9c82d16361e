import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ROOT } from "../../support/engines/embeddedPostgres.ts"

const Healthcheck = Schema.Struct({
  test: Schema.optionalKey(Schema.Array(Schema.String)),
  disable: Schema.optionalKey(Schema.Boolean),
})

const Service = Schema.Struct({
  image: Schema.String,
  build: Schema.optionalKey(
    Schema.Struct({ context: Schema.String, target: Schema.optionalKey(Schema.String) }),
  ),
  command: Schema.optionalKey(Schema.Array(Schema.String)),
  environment: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  ports: Schema.optionalKey(Schema.Array(Schema.String)),
  read_only: Schema.optionalKey(Schema.Boolean),
  cap_drop: Schema.optionalKey(Schema.Array(Schema.String)),
  security_opt: Schema.Array(Schema.String),
  stop_grace_period: Schema.optionalKey(Schema.String),
  logging: Schema.Struct({ options: Schema.Record(Schema.String, Schema.String) }),
  healthcheck: Healthcheck,
})

const names = ["api", "worker", "admin", "emulators", "postgres", "valkey"] as const

const Compose = Schema.fromJsonString(
  Schema.Struct({ services: Schema.Record(Schema.Literals(names), Service) }),
)

export const COMPOSE = join(ROOT, "compose.yaml")

/** The programs of this folder's package: the root's own does not have them. */
export const CHECKERS = join(ROOT, "test/ship/node_modules/.bin")

/** The services of compose.yaml, with what they inherit. */
export const services = Schema.decodeUnknownSync(Compose)(
  execFileSync(join(CHECKERS, "yaml"), ["--json", "--merge", "--single"], {
    input: readFileSync(COMPOSE),
    encoding: "utf8",
  }),
).services
