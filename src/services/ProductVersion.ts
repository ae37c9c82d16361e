import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"

const Manifest = Schema.fromJsonString(Schema.Struct({ name: Schema.String, version: Schema.String }))
const decodeManifest = Schema.decodeUnknownSync(Manifest)

/** The name and the version in `package.json`, which lies beside `src` wherever this code runs. */
export const productVersion = () =>
  decodeManifest(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
