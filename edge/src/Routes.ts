/** The limits in wrangler.json that count by the client's network. */
export type NetworkLimit = "READS" | "WRITES" | "LOGINS" | "SOCKETS"

/** How answers of a route are kept at the edge. */
export interface Keep {
  /** How long a kept answer is given without asking the origin. */
  readonly freshMillis: number
  /** How long after that it is still given while one request asks again. */
  readonly staleMillis: number
  /**
   * The query names that the answer depends on, each with its well-formed values. `any` = no query changes the answer:
   * a file, whose links are shared with names such as `fbclid`.
   */
  readonly query: ReadonlyMap<string, RegExp> | "any"
  /** Clients can make up any number of answers to keep: another query, another file name. */
  readonly isUnbounded?: boolean
  /** Clients poll it: one that has the last answer waits for a newer one while the origin is unavailable. */
  readonly isPolled?: boolean
}

/** What the edge does with requests to a path. */
export interface Route {
  /** The path, for messages and limits; ends with `/*` for all paths below it. */
  readonly path: string
  readonly methods: ReadonlyArray<string>
  readonly limit: NetworkLimit
  /** Absent = every request is passed on to the origin. */
  readonly keep?: Keep
}

export const SOCKET_PATH = "/scores/websocket"

const READ = ["GET", "HEAD"]
const WRITE = ["POST"]

/** What the API allows any cache, in src/programs/http/CacheControl.ts: of pages of ranks it allows no stale ones. */
const BOARD_FRESH_MILLIS = 1_000
const STALE_MILLIS = 5_000

export const BOARD_PATH = "/scores"
export const BOARD_KEEP: Keep = {
  freshMillis: BOARD_FRESH_MILLIS,
  staleMillis: STALE_MILLIS,
  query: new Map(),
  isPolled: true,
}

/** The page must follow a deployment at once; its tag makes asking cheap. */
const PAGE_FRESH_MILLIS = 1_000

/** Documents without a tag, of which `/docs` has 3 MB. They change with a deployment only. */
const DOCUMENT_FRESH_MILLIS = 60_000

/** The names of assets contain a hash of their content, so they never change. */
const ASSET_FRESH_MILLIS = 3_600_000

const file = (path: string, freshMillis: number): Route => ({
  path,
  methods: READ,
  limit: "READS",
  keep: { freshMillis, staleMillis: STALE_MILLIS, query: "any" },
})

/** Of one player: never kept. */
const own = (path: string): Route => ({ path, methods: READ, limit: "READS" })
const write = (path: string, limit: NetworkLimit): Route => ({ path, methods: WRITE, limit })

const ASSETS: Route = {
  path: "/assets/*",
  methods: READ,
  limit: "READS",
  keep: { freshMillis: ASSET_FRESH_MILLIS, staleMillis: STALE_MILLIS, query: "any", isUnbounded: true },
}

/**
 * Every route of the public port; any other path is a 404 at the edge. `Routes.test.ts` compares the table with what the
 * API serves and with its OpenAPI document.
 */
export const ROUTES: ReadonlyArray<Route> = [
  { path: BOARD_PATH, methods: READ, limit: "READS", keep: BOARD_KEEP },
  {
    path: "/scores/page",
    methods: READ,
    limit: "READS",
    keep: {
      freshMillis: BOARD_FRESH_MILLIS,
      staleMillis: 0,
      query: new Map([
        ["after", /^(?:0|[1-9][0-9]{0,15})\.-?(?:0|[1-9][0-9]{0,17})\.(?:0|[1-9][0-9]{0,6})$/],
        ["limit", /^(?:[1-9][0-9]?|100)$/],
      ]),
    },
  },
  own("/scores/me"),
  own("/users/me/history"),
  write("/scores/increment", "WRITES"),
  write("/users/auth/login", "LOGINS"),
  write("/users/auth/refresh", "LOGINS"),
  write("/users/auth/logout", "LOGINS"),
  { path: SOCKET_PATH, methods: READ, limit: "SOCKETS" },
  ...["/", "/favicon.svg", "/favicon.ico", "/boot.js"].map((path) => file(path, PAGE_FRESH_MILLIS)),
  ...["/docs", "/openapi.json"].map((path) => file(path, DOCUMENT_FRESH_MILLIS)),
  ASSETS,
]

const byPath = new Map(ROUTES.map((route) => [route.path, route]))

/** The route of a path; undefined for a path that the API does not have. */
export const routeOf = (path: string): Route | undefined =>
  byPath.get(path) ?? (path.startsWith("/assets/") ? ASSETS : undefined)

/** A question to the origin whose answer may be kept. */
export interface Kept {
  /** The path with its query in one spelling. */
  readonly target: string
  /** Clients can make up any number of such targets. */
  readonly isScarce: boolean
}

/**
 * The kept answer that a request asks for. Undefined = the route keeps none, or not for this query: it has a name that
 * the table does not know, a malformed value, or a name twice. Such a request is for the origin to answer.
 */
export const keptFor = ({ path, keep }: Route, url: URL): Kept | undefined => {
  if (keep === undefined) return undefined
  if (keep.query === "any") return { target: url.pathname, isScarce: keep.isUnbounded === true }
  const given = [...url.searchParams].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = new Set(given.map(([name]) => name))
  const { query } = keep
  if (names.size !== given.length || !given.every(([name, value]) => query.get(name)?.test(value)))
    return undefined
  const text = given.map(([name, value]) => `${name}=${value}`).join("&")
  return text === "" ? { target: path, isScarce: false } : { target: `${path}?${text}`, isScarce: true }
}
