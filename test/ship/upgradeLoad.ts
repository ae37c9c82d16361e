import { randomUUID } from "node:crypto"
import { Agent, request } from "node:http"
import type { Stalls } from "../support/stalls.ts"

/** After so many requests a client dials anew, so that it comes to every process behind the balancer in turn. */
const REQUESTS_PER_CONNECTION = 12

/** Between two requests of a client, in milliseconds. */
const PAUSE_MILLIS = 10

/** The shortest time limit of the server that a request waits for, in milliseconds: a 503 before it is a decision. */
const LIMIT_MILLIS = 1_000

/** The share of a request's time in which this process ran, below which the machine was too busy to keep a time limit. */
const RUNNING_SHARE = 0.8

/** How often a client asks again because of that, and after how long, in milliseconds. */
const AGAIN = { times: 5, afterMillis: 1_000 }

export interface Player {
  readonly userId: string
  readonly email: string
  readonly token: string
}

/** What a client asks for between two increments. */
const READS = ["/scores", "/scores/me", "/scores/page?limit=20", "/users/me/history?limit=5"]

/** What happened to a request. */
interface Outcome {
  readonly status: number | string
  readonly millis: number
  /** Without the time in which this process could not run. */
  readonly runningMillis: number
}

const wasMachine = ({ millis, runningMillis, status }: Outcome) =>
  status === 503 && millis >= LIMIT_MILLIS && runningMillis < RUNNING_SHARE * millis

const wait = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** What clients asked and were answered, so far. */
export interface UpgradeLoad {
  /** The keys of increments, each sent once or twice and answered 200 each time, and whose they are. */
  readonly accepted: ReadonlyMap<string, Player>
  /** Every answer but 200, and every request without an answer. */
  readonly failures: ReadonlyArray<string>
  readonly requests: () => number
  /** How many increments were sent a second time under their key. */
  readonly repeats: () => number
  /** How many requests were sent again because the machine stood still. */
  readonly stalled: () => number
  readonly slowestMillis: () => number
  readonly stop: () => Promise<void>
}

/**
 * One client for each player: increments, every third of them twice under one key, and reads in turn, until stopped.
 * Whatever is not answered 200 is a failure. A client tries again only if a time limit ran out while the machine stood
 * still: that says nothing about the releases.
 */
export const startUpgradeLoad = (
  url: string,
  players: ReadonlyArray<Player>,
  stalls: Stalls,
): UpgradeLoad => {
  const { hostname, port } = new URL(url)
  const stopping = new AbortController()
  const accepted = new Map<string, Player>()
  const failures: Array<string> = []
  const count = { requests: 0, repeats: 0, stalled: 0, slowestMillis: 0 }

  const send = (agent: Agent, method: string, path: string, headers: Readonly<Record<string, string>>) => {
    const begun = performance.now()
    return new Promise<Outcome>((resolve) => {
      const ended = (status: number | string) => {
        const now = performance.now()
        resolve({ status, millis: now - begun, runningMillis: stalls.running(begun, now) })
      }
      const sent = request({ hostname, port, method, path, agent, headers }, (response) => {
        response.on("error", (error) => ended(error.message))
        response.resume().on("end", () => ended(response.statusCode ?? 0))
      })
      sent.on("error", (error) => ended(error.message))
      sent.end()
    })
  }

  const client = async (player: Player) => {
    let agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let sent = 0
    const ask = async (method: string, path: string, headers: Readonly<Record<string, string>> = {}) => {
      if (++sent % REQUESTS_PER_CONNECTION === 0) {
        agent.destroy()
        agent = new Agent({ keepAlive: true, maxSockets: 1 })
      }
      const authorization = `Bearer ${player.token}`
      const attempt = () => send(agent, method, path, { authorization, ...headers })
      let outcome = await attempt()
      for (let n = 0; n < AGAIN.times && wasMachine(outcome); n++) {
        count.stalled += 1
        await wait(AGAIN.afterMillis)
        outcome = await attempt()
      }
      const { status, millis } = outcome
      count.requests += 1
      count.slowestMillis = Math.max(count.slowestMillis, millis)
      if (status !== 200) failures.push(`${method} ${path}: ${status}`)
      await wait(PAUSE_MILLIS)
      return status === 200
    }
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const key = randomUUID()
      const increment = () => ask("POST", "/scores/increment", { "idempotency-key": key })
      if (await increment()) accepted.set(key, player)
      if (turn % 3 === 0) {
        await ask("GET", READS[(turn + 1) % READS.length] ?? "/scores")
        count.repeats += 1
        await increment()
      }
      await ask("GET", READS[turn % READS.length] ?? "/scores")
    }
    agent.destroy()
  }

  const clients = Promise.all(players.map(client))
  return {
    accepted,
    failures,
    requests: () => count.requests,
    repeats: () => count.repeats,
    stalled: () => count.stalled,
    slowestMillis: () => count.slowestMillis,
    stop: async () => {
      stopping.abort()
      await clients
    },
  }
}
