import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * An integer of at least 1 as it is written in a query or a header: decimal digits without a sign, a space or a
 * leading zero. So one number has one spelling, for caches as well. `contentSchema` says for the documents which
 * integer the text stands for.
 */
export const integerText = (maximum: number, description: string, more: { readonly default?: number } = {}) =>
  Schema.String.annotate({
    description,
    contentMediaType: "application/json",
    contentSchema: { type: "integer", minimum: 1, maximum, ...more },
  })
    .check(Schema.isPattern(/^[1-9][0-9]*$/u, { expected: "an integer in decimal digits" }))
    .pipe(
      Schema.decodeTo(
        Schema.Int.check(Schema.isBetween({ minimum: 1, maximum })),
        SchemaTransformation.numberFromString,
      ),
    )

/** `limit` of a list: how many entries a page has at most. The greatest limit is also the default. */
export const pageLimit = (maximum: number) =>
  integerText(maximum, "The most entries on the page.", { default: maximum })
