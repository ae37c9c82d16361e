import { networkOf } from "../../src/foundation/ClientNetwork.ts"
import { has, idOf, limited, problem, shown, unavailable, type Visit } from "./Answers.ts"
import { readBody } from "./Body.ts"
import { isPreflight, isUpgrade, malformed } from "./Form.ts"
import { allows, type Limit, PERIOD_SECONDS } from "./Limits.ts"
import { ask, forwarded, isOfApi, type Origin } from "./Origin.ts"
import { type Question, Reads, type Surroundings } from "./Reads.ts"
import {
  BOARD_KEEP,
  BOARD_PATH,
  type Keep,
  keptFor,
  type Kept,
  type Route,
  routeOf,
  SOCKET_PATH,
} from "./Routes.ts"
import { allowedOrigins, mistakeIn, type Settings } from "./Settings.ts"
import { makeStore } from "./Store.ts"

/** What wrangler.json and the secret give the Worker. */
interface Env extends Settings, Readonly<Record<Limit, RateLimit>> {}

/** The longest wait for an answer to one client. The API answers an increment within 3 s and waits 10 s for a sign-in. */
const ANSWER_MILLIS = 20_000

/** How long a preflight is kept. A browser remembers it for 10 minutes. */
const PREFLIGHT = { freshMillis: 60_000, staleMillis: 0 }

/** Dials that waited reach the origin within this time after its return. */
const RETURN_SPREAD_MILLIS = 300

const reads = new Reads()

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
