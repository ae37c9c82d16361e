import { networkOf } from "../../src/foundation/ClientNetwork.ts"
import { MAX_HEADER_BYTES } from "../../src/foundation/PublicHttp.ts"
import { has, idOf, limited, problem, shown, unavailable, type Visit } from "./Answers.ts"
import { readBody } from "./Body.ts"
import { ask, forwarded, isOfApi, type Origin } from "./Origin.ts"
import { type Question, Reads, type Surroundings } from "./Reads.ts"
import {
  BOARD_KEEP,
  BOARD_PATH,
  type Keep,
  keptFor,
  type Kept,
  type NetworkLimit,
  type Route,
  routeOf,
  SOCKET_PATH,
} from "./Routes.ts"
import { allowedOrigins, mistakeIn, type Settings } from "./Settings.ts"
import { makeStore } from "./Store.ts"

/**
 * The limits in wrangler.json, with their periods. They count per location, and are wider than the API's own, for offices
 * and mobile networks behind one address. `SCARCE` counts, per network, reads that clients can make up (pages after a
 * cursor, file names); `SCARCE_ALL` counts those of everybody, and `UNKNOWN_ALL` reads with a query that the table does
 * not know.
 */
type Limit = NetworkLimit | "SCARCE" | "SCARCE_ALL" | "UNKNOWN_ALL"
interface Env extends Settings, Readonly<Record<Limit, RateLimit>> {}
const PERIOD_SECONDS: Readonly<Record<Limit, 10 | 60>> = {
  READS: 10,
  WRITES: 10,
  LOGINS: 60,
  SOCKETS: 60,
  SCARCE: 10,
  SCARCE_ALL: 10,
  UNKNOWN_ALL: 10,
}

/** No client of ours has a longer address: a cursor has 40 characters. */
const MAX_URL_BYTES = 2_048

/** The longest wait for an answer to one client. The API answers an increment within 3 s and waits 10 s for a sign-in. */
const ANSWER_MILLIS = 20_000

/** How long a preflight is kept. A browser remembers it for 10 minutes. */
const PREFLIGHT = { freshMillis: 60_000, staleMillis: 0 }

/** Dials that waited reach the origin within this time after its return. */
const RETURN_SPREAD_MILLIS = 300

const reads = new Reads()

/** Whether a limit allows one more. A limiter that fails allows it: the API has limits of its own. */
const allows = async (limit: RateLimit, key: string): Promise<boolean> => {
  try {
    return (await limit.limit({ key })).success
  } catch (error) {
    console.warn("A limit could not be read", String(error))
    return true
  }
}

const headerBytes = (headers: Headers): number => {
  let bytes = 0
  // 4 for the colon, the space and the line break.
  for (const [name, value] of headers) bytes += name.length + value.length + 4
  return bytes
}

/** A preflight asks on behalf of a page; for a page of a foreign origin, OPTIONS is a method like any other. */
const isPreflight = ({ request, allowedOrigin }: Visit) =>
  request.method === "OPTIONS" &&
  allowedOrigin !== undefined &&
  request.headers.has("access-control-request-method")

/** What is refused for its form, before any limit counts it. */
const malformed = (visit: Visit, route: Route | undefined): Response | undefined => {
  const { request } = visit
  if (request.url.length > MAX_URL_BYTES) return problem(visit, 414)
  if (headerBytes(request.headers) > MAX_HEADER_BYTES) return problem(visit, 431)
  if (route === undefined) return problem(visit, 404)
  return route.methods.includes(request.method) || isPreflight(visit)
    ? undefined
    : problem(visit, 405, { allow: route.methods.join(", ") })
}

type Times = Pick<Keep, "freshMillis" | "staleMillis" | "isPolled">

/** The question that a request for a kept answer asks. */
const questionOf = (
  env: Env,
  origin: Origin,
  visit: Visit,
  { target, isScarce }: Kept,
  times: Times,
): Question => {
  const { network, allowedOrigin, url } = visit
  const preflight = isPreflight(visit) ? "OPTIONS " : ""
  return {
    key: `${preflight}${target} ${allowedOrigin ?? ""}`,
    freshMillis: times.freshMillis,
    staleMillis: times.staleMillis,
    account: isScarce ? network : undefined,
    has: times.isPolled === true ? (answer) => has(visit, answer) : undefined,
    ask: (last) => ask(origin, visit, target, last),
    mayAsk: async () =>
      !isScarce ||
      ((await allows(env.SCARCE, network)) &&
        (await allows(env.SCARCE_ALL, url.pathname.split("/")[1] ?? ""))),
  }
}

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const around = ({ url }: Visit, ctx: ExecutionContext): Surroundings => ({
  ...makeStore(caches.default, url.origin),
  now: Date.now,
  sleep,
  outlive: (work) => ctx.waitUntil(work),
})

/** Gives the kept answer that a request asks for. */
const giveKept = async (
  env: Env,
  origin: Origin,
  visit: Visit,
  kept: Kept,
  times: Times,
  ctx: ExecutionContext,
): Promise<Response> => {
  const reply = await reads.read(questionOf(env, origin, visit, kept, times), around(visit, ctx))
  if ("answer" in reply) return shown(visit, reply)
  return reply.from === "refused" ? limited(visit, PERIOD_SECONDS.SCARCE) : unavailable(visit)
}

/**
 * A viewer's dial waits while the board cannot be had: it would fail, and count against the limit of its network, which
 * would then refuse the viewers of a whole office at the origin's return. Returns whether the origin is still away.
 */
const isAwayFor = async (env: Env, origin: Origin, visit: Visit, ctx: ExecutionContext): Promise<boolean> => {
  const board = { target: BOARD_PATH, isScarce: false }
  // The same board as the viewer's page polls, whose origin the key contains.
  const question = questionOf(env, origin, visit, board, BOARD_KEEP)
  const found = await reads.untilBack(question, around(visit, ctx))
  if (found === "back") await sleep(RETURN_SPREAD_MILLIS * Math.random())
  return found === "away"
}

const isUpgrade = ({ request }: Visit) => request.headers.get("upgrade")?.toLowerCase() === "websocket"

/** Passes a request on as it is, and the answer as it comes. */
const passOn = async (origin: Origin, visit: Visit): Promise<Response> => {
  const isSocket = isUpgrade(visit)
  try {
    const body = isSocket ? null : await readBody(visit.request)
    if (typeof body === "number") return problem(visit, body)
    // No time limit on a socket: its signal would end it later.
    const signal = isSocket ? undefined : AbortSignal.timeout(ANSWER_MILLIS)
    const response = await fetch(forwarded(origin, visit, body, signal))
    return isOfApi(response) ? response : unavailable(visit)
  } catch {
    // The origin is unreachable or too slow, or the client left while it sent its body.
    return unavailable(visit)
  }
}

/** Whether a request of this kind is rare: it reaches the origin, and nobody's token or account pays for it. */
const isRare = (route: Route, visit: Visit) =>
  route.keep !== undefined || (route.path === SOCKET_PATH && !isUpgrade(visit))

const visitOf = (request: Request, url: URL, env: Env): Visit => {
  // Cloudflare always writes it; on a developer's machine there is none.
  const address = request.headers.get("cf-connecting-ip") ?? "127.0.0.1"
  const allowed = allowedOrigins(env)
  const from = request.headers.get("origin")
  return {
    request,
    url,
    id: idOf(request),
    address,
    network: networkOf(address),
    allowedOrigin: from !== null && allowed.has(from) ? from : undefined,
    isShared: allowed.size > 0,
  }
}

const answer = async (request: Request, env: Env, ctx: ExecutionContext): Promise<Response> => {
  const url = new URL(request.url)
  const visit = visitOf(request, url, env)
  const mistake = mistakeIn(env)
  if (mistake !== undefined) {
    console.error(mistake)
    return unavailable(visit)
  }
  const origin: Origin = { url: env.ORIGIN ?? "", secret: env.EDGE_SECRET ?? "" }
  const route = routeOf(url.pathname)
  const refusal = malformed(visit, route)
  if (refusal !== undefined || route === undefined) return refusal ?? problem(visit, 404)
  if (route.path === SOCKET_PATH && isUpgrade(visit) && (await isAwayFor(env, origin, visit, ctx))) {
    return unavailable(visit)
  }
  if (!(await allows(env[route.limit], visit.network))) return limited(visit, PERIOD_SECONDS[route.limit])

  if (isPreflight(visit)) {
    const isScarce = route.keep?.isUnbounded === true
    return giveKept(env, origin, visit, { target: url.pathname, isScarce }, PREFLIGHT, ctx)
  }
  const kept = keptFor(route, url)
  if (kept !== undefined && route.keep !== undefined) {
    return giveKept(env, origin, visit, kept, route.keep, ctx)
  }
  if (isRare(route, visit) && !(await allows(env.UNKNOWN_ALL, route.path))) {
    return limited(visit, PERIOD_SECONDS.UNKNOWN_ALL)
  }
  return passOn(origin, visit)
}

const worker: ExportedHandler<Env> = { fetch: answer }
export default worker
