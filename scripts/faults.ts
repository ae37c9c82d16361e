import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"

/**
 * The fault suite: `npm run test:faults -- --seeds 100 --first 1`. Left out, the values are those of the environment
 * (FAULT_SEEDS, FAULT_FIRST), else the short form of `npm test`. Seed 7 alone again: `--seeds 1 --first 7`.
 */
const { values } = parseArgs({ options: { seeds: { type: "string" }, first: { type: "string" } } })

const env = {
  ...process.env,
  ...(values.seeds === undefined ? {} : { FAULT_SEEDS: values.seeds }),
  ...(values.first === undefined ? {} : { FAULT_FIRST: values.first }),
}
const { status } = spawnSync("vitest", ["run", "--project", "faults"], { stdio: "inherit", env })
process.exitCode = status ?? 1
