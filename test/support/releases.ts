import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { ROOT } from "./engines/embeddedPostgres.ts"

/** A version that was released. */
export interface Release {
  /** Such as 0.1.0. */
  readonly version: string
  /** All 40 digits. */
  readonly commit: string
}

const Releases = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** What releases.json says, oldest first: a later release is further down. */
export const releases = (): ReadonlyArray<Release> =>
  Object.entries(Schema.decodeUnknownSync(Releases)(readFileSync(join(ROOT, "releases.json"), "utf8"))).map(
    ([version, commit]) => ({ version, commit }),
  )
