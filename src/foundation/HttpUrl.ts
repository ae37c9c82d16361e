import * as Schema from "effect/Schema"

/** An absolute URL of http or https. */
export const HttpUrl = Schema.URL.check(
  Schema.makeFilter((url) => url.protocol === "https:" || url.protocol === "http:", {
    expected: "an http or https URL",
  }),
)
