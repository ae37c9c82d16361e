import * as Schema from "effect/Schema"
import * as Flag from "effect/cli/Flag"

/** `--json`: the answer is one JSON document on standard output. */
export const asJson = Flag.Boolean("json").pipe(
  Flag.withDescription("Answer with one JSON document"),
  Flag.withDefault(false),
)

/** A flag for how much one run looks at, at most: 1 to `largest`. */
export const atMost = (name: string, largest: number, byDefault: number, what: string) =>
  Flag.Int(name).pipe(
    Flag.withDescription(`${what}: 1 to ${largest}; ${byDefault} unless given`),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: largest }))),
    Flag.withDefault(byDefault),
  )
