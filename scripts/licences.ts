import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"

/**
 * Checks that every package that runs in production has a licence that asks for no more than its own text: these permit
 * any use, closed or open. Reads the lock files it is given; npm copies a package's licence into them. Tools that only
 * build or test are not distributed, and may have any.
 */

const ALLOWED = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"])

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(
      Schema.String,
      Schema.Struct({
        version: Schema.optionalKey(Schema.String),
        // Some old packages have a list of objects, which nobody can read without looking.
        license: Schema.optionalKey(Schema.Unknown),
        dev: Schema.optionalKey(Schema.Boolean),
        link: Schema.optionalKey(Schema.Boolean),
      }),
    ),
  }),
)

/** Whether an SPDX expression gives a choice that is allowed: `(MIT OR GPL-3.0-only)` does. */
const isAllowed = (expression: string) =>
  expression
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((licence) => ALLOWED.has(licence.trim())))

/** The packages of a lock file that run in production, without the package itself. */
const productionOf = (path: string) =>
  Object.entries(Schema.decodeUnknownSync(Lock)(readFileSync(path, "utf8")).packages).filter(
    ([at, { dev = false, link = false }]) => at !== "" && !dev && !link,
  )

const paths = process.argv.slice(2)
const production = paths.flatMap((path) =>
  productionOf(path).map(([at, { license, version }]) => ({ at, license, version })),
)
const refused = production.filter(({ license }) => typeof license !== "string" || !isAllowed(license))
for (const { at, license, version } of refused) {
  const name = at.replace(/^.*node_modules\//, "")
  console.error(
    `${name} ${version ?? ""}: licence ${license === undefined ? "not stated" : JSON.stringify(license)}`,
  )
}
if (paths.length === 0) console.error("Usage: node scripts/licences.ts package-lock.json …")
else if (refused.length > 0) console.error(`Allowed are ${[...ALLOWED].join(", ")}`)
else console.log(`${production.length} packages run in production, each under an allowed licence`)
process.exitCode = paths.length === 0 || refused.length > 0 ? 1 : 0
