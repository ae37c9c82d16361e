/** What the edge is told: `vars` of wrangler.json, and the secret `EDGE_SECRET`. */
export interface Settings {
  /** Scheme and host of the API: `https://origin.example.com`. */
  readonly ORIGIN?: string | undefined
  /** One of the API's `EDGE_SECRET`s. */
  readonly EDGE_SECRET?: string | undefined
  /** As the API has it: origins whose pages may use the API from a browser, separated by commas. */
  readonly CORS_ORIGINS?: string | undefined
}

/** What is wrong with the settings, in one line without a secret; undefined = nothing. */
export const mistakeIn = ({ ORIGIN, EDGE_SECRET }: Settings): string | undefined => {
  if (EDGE_SECRET === undefined || EDGE_SECRET === "") return "EDGE_SECRET is not set"
  // The API refuses the same ones, and a comma would make it two.
  if (!/^[!-+\--~]{32,}$/.test(EDGE_SECRET)) {
    return "EDGE_SECRET is not valid (expected one secret of at least 32 visible ASCII characters)"
  }
  if (ORIGIN === undefined || ORIGIN === "") return "ORIGIN is not set"
  const url = URL.canParse(ORIGIN) ? new URL(ORIGIN) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === ORIGIN
    ? undefined
    : "ORIGIN is not valid (expected scheme and host, such as https://origin.example.com)"
}

/** The allowed origins of other pages. */
export const allowedOrigins = ({ CORS_ORIGINS = "" }: Settings): ReadonlySet<string> =>
  new Set(CORS_ORIGINS.split(",").flatMap((text) => (text.trim() === "" ? [] : [text.trim()])))
