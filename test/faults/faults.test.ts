import { afterAll, assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Result, run } from "./Run.ts"
import { System } from "../support/system/System.ts"
import { table } from "./Table.ts"

/** How many seeds, and the first of them: FAULT_SEEDS and FAULT_FIRST, which `npm run test:faults` sets. */
const count = Number(process.env["FAULT_SEEDS"] ?? "2")
const first = Number(process.env["FAULT_FIRST"] ?? "1")
const seeds = Array.from({ length: count }, (_, index) => first + index)

const results: Array<Result> = []
afterAll(() => console.log(table(results)))

layer(System.layer, { timeout: "90 seconds", excludeTestServices: true })("Faults", (it) => {
  it.effect.each(seeds)("counts every accepted increment once and shows it, seed %i", (seed) =>
    Effect.gen(function* () {
      const result = yield* run(seed)
      results.push(result)
      assert.deepStrictEqual(result.findings, [], result.faults.join(", "))
    }),
  )
})
