import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

const ModuleGraph = Schema.fromJsonString(
  Schema.Struct({
    /** URLs of all files, and `node:` modules. */
    urls: Schema.Array(Schema.String),
    /** From the first import to the end of the last one. */
    importMillis: Schema.Number,
    /** The memory of the process in RAM, after the imports. */
    residentBytes: Schema.Number,
  }),
)
const decode = Schema.decodeUnknownSync(ModuleGraph)

/** Longer than the list of a thousand paths. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** What the main file of a process loads: its imports, and whatever these load, packages included. */
export const moduleGraph = async (checkout: string, main: string) => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, "loadMain.ts"), join(checkout, main)],
    { cwd: checkout, maxBuffer: MAX_OUTPUT_BYTES },
  )
  return decode(stdout)
}

/** The package of a module; undefined for a file of a checkout and for Node's own modules. */
export const packageOf = (url: string): string | undefined =>
  /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
