import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { quantile } from "./figures.ts"
import { startGenerated } from "./generated.ts"
import { closedLoop } from "./http.ts"
import { playerAt } from "./players.ts"

/**
 * `node bench/pages.ts [--connections n] [--seconds n] [--players n] [--limit n]`: what a flood of pages of ranks leaves
 * to logouts, readiness and the board; first without a flood, then with one of ever new pages, then with one of the same
 * page. `--limit` is PAGE_RATE_LIMIT_ADDRESS; 0 when left out, as if the flood came from many addresses.
 */
const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "256" },
    seconds: { type: "string", default: "10" },
    players: { type: "string", default: "100000" },
    limit: { type: "string", default: "0" },
  },
})
const seconds = Number(values.seconds)

/** Between two rounds of what the flood must not harm. */
const PAUSE_MILLIS = 50

const program = Effect.gen(function* () {
  const { identity, system } = yield* startGenerated(Number(values.players), {
    PAGE_RATE_LIMIT_ADDRESS: values.limit,
  })
  const url = `http://127.0.0.1:${system.port}`
  const token = identity.accessWith({ sub: playerAt(1), jti: "one sign-in" })

  const logout = async () => {
    const begun = performance.now()
    const answer = await fetch(`${url}/users/auth/logout`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ refreshToken: "refresh" }),
    })
    await answer.arrayBuffer()
    return { status: answer.status, millis: performance.now() - begun }
  }

  /** Logs out, asks for readiness and reads the board in turn, until `end`. */
  const others = async (end: number) => {
    const millis: Array<number> = []
    const bad: Array<string> = []
    let polls = 0
    while (performance.now() < end) {
      const { status, millis: took } = await logout()
      millis.push(took)
      if (status !== 204) bad.push(`logout ${status}`)
      const ready = await (await fetch(`http://127.0.0.1:${system.management}/health/ready`)).text()
      if (!ready.includes('"postgresql":"up"')) bad.push("not ready")
      const board = await fetch(`${url}/scores`)
      await board.arrayBuffer()
      if (board.status !== 200) bad.push(`board ${board.status}`)
      polls++
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS))
    }
    const sorted = millis.toSorted((a, b) => a - b)
    const p = (share: number) => quantile(sorted, share).toFixed(1)
    return `logout p50 ${p(0.5)}, p99 ${p(0.99)} ms; bad: ${bad.length} of ${3 * polls} ${[...new Set(bad)].join(", ")}`
  }

  const flood = async (title: string, page: (n: number) => string) => {
    const [load, told] = await Promise.all([
      closedLoop({
        port: system.port,
        connections: Number(values.connections),
        seconds,
        request: (n) => `GET /scores/page?${page(n)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      }),
      others(performance.now() + seconds * 1000),
    ])
    const rate = (count: number) => (count / load.seconds).toFixed(0)
    const p99 = quantile(load.latencyMillis, 0.99).toFixed(0)
    console.log(
      `${title}: ${rate(load.accepted)} pages/s, p99 ${p99} ms, ${rate(load.failed)} refused/s; ${told}`,
    )
  }

  yield* Effect.promise(async () => {
    await others(performance.now() + 2000)
    console.log(`no flood: ${await others(performance.now() + seconds * 1000)}`)
    await flood("ever new pages", (n) => `after=1.${n}.0`)
    await flood("the same page", () => "limit=100")
  })
})

program.pipe(Effect.scoped, NodeRuntime.runMain())
