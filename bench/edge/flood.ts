import { closedLoop } from "../http.ts"
import { readsOf } from "./system.ts"

const CONNECTIONS = 32

/** A flood comes from many networks: the edge lets one of them read 60 times a second. */
const get = (target: string, n: number, more = "") =>
  `GET ${target} HTTP/1.1\r\nHost: localhost\r\nCF-Connecting-IP: 10.${(n >> 16) & 1}.${(n >> 8) & 255}.${n & 255}\r\n${more}\r\n`

/** Headers that differ in every request. */
const otherHeaders = (n: number) =>
  `Origin: https://${n}.example\r\nAccept-Encoding: x${n}\r\nCookie: a=${n}\r\nCache-Control: no-cache\r\n`

export interface Flood {
  readonly name: string
  readonly route: string
  /** The most reads that may reach the API, per second. */
  readonly bar: number
  /** The nth request. */
  readonly request: (n: number) => string
  /** What an honest viewer reads meanwhile: not what would count as the flood's own reads. */
  readonly honest: ReadonlyArray<string>
}

const BOTH = ["/scores", "/scores/page"]

export const FLOODS: ReadonlyArray<Flood> = [
  { name: "the board", route: "/scores", bar: 1, request: (n) => get("/scores", n), honest: BOTH },
  {
    name: "each with other headers",
    route: "/scores",
    bar: 1,
    request: (n) => get("/scores", n, otherHeaders(n)),
    honest: BOTH,
  },
  {
    name: "each with another query and other headers",
    route: "/scores",
    bar: 1,
    request: (n) => get(`/scores?x=${n}`, n, otherHeaders(n)),
    honest: ["/scores/page"],
  },
  {
    name: "made-up cursors",
    route: "/scores/page",
    bar: 6,
    request: (n) => get(`/scores/page?after=${n}.1.1`, n),
    honest: BOTH,
  },
]

/** Somebody who reads twice a second: the statuses of the answers. */
const watch = (edge: string, targets: ReadonlyArray<string>) => {
  const statuses: Array<number> = []
  const read = async (target: string) => {
    const headers = { "cf-connecting-ip": "192.0.2.1" }
    const answer = await fetch(`${edge}${target}`, { headers }).catch(() => undefined)
    statuses.push(answer?.status ?? 0)
    await answer?.arrayBuffer()
  }
  const timer = setInterval(() => void Promise.all(targets.map(read)), 500)
  return {
    statuses,
    stop: () => clearInterval(timer),
  }
}

/** Floods the edge, and prints what was answered and what reached the API; false = the bar is missed. */
export const flood = async (
  edge: string,
  metrics: string,
  seconds: number,
  { name, route, bar, request, honest }: Flood,
) => {
  const before = await readsOf(metrics, route)
  const viewer = watch(edge, honest)
  const begun = performance.now()
  const load = await closedLoop({
    port: Number(new URL(edge).port),
    connections: CONNECTIONS,
    seconds,
    request,
  })
  viewer.stop()
  const reads = ((await readsOf(metrics, route)) - before) / ((performance.now() - begun) / 1000)
  const answered = viewer.statuses.filter((status) => status === 200).length
  const perSecond = (count: number) => (count / load.seconds).toFixed(0)
  console.log(
    `| ${name} | ${perSecond(load.accepted)} | ${perSecond(load.failed - load.unknown)} | ${load.unknown} | ` +
      `${reads.toFixed(2)} | ${bar} | ${answered} of ${viewer.statuses.length} |`,
  )
  // A run can begin just before a read and end just after one.
  return reads <= bar + 1 / seconds && answered === viewer.statuses.length && load.unknown === 0
}
