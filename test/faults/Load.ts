import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Agent } from "node:http"
import { request } from "../support/fixtures.ts"
import type { Stalls } from "../support/stalls.ts"
import { makeRandom } from "./Plan.ts"

/** Clients at work at one time. The first half of them raises the scores of the hot players only. */
const CLIENTS = 14
const HOT_PLAYERS = 2
/** More than a board has places. */
const PLAYERS = 14

/** Between two actions of a client, in milliseconds: about 130 a second in all, which leaves the machine room. */
const PAUSE_MILLIS = { from: 40, to: 160 }

/** Share of actions that a client sends to both APIs at once, under one key. */
const TWICE = 0.1

/** Share of attempts that a client breaks off within `ABORT_WITHIN_MILLIS`, and repeats. */
const ABORTED = 0.08
const ABORT_WITHIN_MILLIS = 30

/** Between two attempts, in milliseconds. */
const RETRY_MILLIS: Range = { from: 50, to: 250 }

/** A client waits this long for an answer: above every time limit of the server. */
const PATIENCE_MILLIS = 6_000

/** The slowest answer: 2 s for the keys of a process that has just started, then 2.75 s for a mute commit. */
const ANSWERED_WITHIN_MILLIS = 5_000

/**
 * During an overload the connections of both APIs to PostgreSQL are slow, so a batch takes 1.5 s: two committers of each
 * API then commit 400 actions in that time, 267 a second. Three times as many come.
 */
export const OVERLOAD_DELAY_MILLIS = 750
const OVERLOAD_PER_STEP = 40
const OVERLOAD_STEP_MILLIS = 50
/** As `Retry-After` says to those who are refused. */
const OVERLOAD_RETRY_MILLIS: Range = { from: 1_000, to: 3_000 }

/** Statuses that ask a client to try again; any other but 200 is a finding. */
const AGAIN = 503

export interface Player {
  readonly userId: string
  readonly email: string
  readonly token: string
}

/** What clients did, and what they were told. */
export interface Load {
  /** Every key that was sent, and whose it is. */
  readonly sent: ReadonlyMap<string, Player>
  /** The keys that were answered 200. */
  readonly accepted: ReadonlySet<string>
  readonly attempts: () => number
  /** Attempts by what came of them: a status, `broken` (no answer), `silent` (no answer in time). */
  readonly outcomes: ReadonlyMap<string, number>
  /** What no client may be told. */
  readonly findings: ReadonlyArray<string>
  readonly slowestMillis: () => number
  /** Ends when every client has got a 200 for all its keys; they begin no new one after `stop`. */
  readonly run: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  /** For this time, sends actions at a fixed rate, whatever becomes of them; `run` then waits for these as well. */
  overload(forMillis: number): Effect.Effect<void, never, Scope.Scope>
}

/** Where a client sends its attempts, its random numbers, and how long it waits after one that was not answered 200. */
interface Sender {
  readonly random: () => number
  readonly agents: ReadonlyArray<Agent>
  readonly retryMillis: Range
  /** The share of attempts that it breaks off. */
  readonly aborted: number
}

interface Range {
  readonly from: number
  readonly to: number
}

const within = (random: () => number, { from, to }: Range) => from + random() * (to - from)

/** The key of a client's n-th action begins with this. */
export const keysOf = (seed: number, client: number) => `key-${seed}-${client}-`

/** The player whom a client with a hot player plays. */
export const hotPlayerOf = (client: number) => client % HOT_PLAYERS

/** The players of a run; no other run has them. */
export const makePlayers = (seed: number, token: (userId: string, email: string) => string) =>
  Array.from({ length: PLAYERS }, (_, index): Player => {
    const userId = `seed-${seed}-player-${index}`
    const email = `${userId}@example.com`
    return { userId, email, token: token(userId, email) }
  })

/** Clients that raise scores at two APIs until they are told to stop, and repeat every action until it is accepted. */
export const makeLoad = (
  seed: number,
  players: ReadonlyArray<Player>,
  apis: readonly [string, string],
  stalls: Stalls,
): Load => {
  const sent = new Map<string, Player>()
  const accepted = new Set<string>()
  const outcomes = new Map<string, number>()
  const findings: Array<string> = []
  let attempts = 0
  let slowestMillis = 0
  const state = { stopped: false }
  const extra: Array<Fiber.Fiber<void>> = []

  const attempt = Effect.fnUntraced(function* (api: string, agent: Agent, key: string, player: Player) {
    attempts += 1
    const begun = performance.now()
    const outcome = yield* request(`${api}/scores/increment`, {
      method: "POST",
      headers: { authorization: `Bearer ${player.token}`, "idempotency-key": key },
      agent,
    }).pipe(
      Effect.map(({ status, body }) => {
        if (status === 200) accepted.add(key)
        else if (status !== AGAIN) findings.push(`${status} for ${key}: ${body}`)
        return String(status)
      }),
      Effect.catch(() => Effect.succeed("broken")),
      Effect.timeoutOrElse({
        duration: PATIENCE_MILLIS,
        orElse: () => Effect.succeed("silent"),
      }),
    )
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const millis = stalls.running(begun, performance.now())
    slowestMillis = Math.max(slowestMillis, millis)
    if (millis > ANSWERED_WITHIN_MILLIS) {
      findings.push(`${api} answered ${outcome} after ${Math.round(millis)} ms`)
    }
    return outcome
  })

  /** Sends a key to one API, or by turns, until it is accepted. */
  const insist = Effect.fnUntraced(function* (
    { aborted, agents, random, retryMillis }: Sender,
    key: string,
    player: Player,
    first: number,
    turns: boolean,
  ) {
    for (let n = 0; ; n++) {
      const which = (turns ? first + n : first) % apis.length
      const [api, agent] = [apis[which], agents[which]]
      if (api === undefined || agent === undefined) return
      const one = attempt(api, agent, key, player)
      const outcome =
        random() < aborted
          ? yield* Effect.timeoutOrElse(one, {
              duration: random() * ABORT_WITHIN_MILLIS,
              orElse: () => Effect.succeed("aborted"),
            })
          : yield* one
      if (![String(AGAIN), "aborted", "broken", "silent"].includes(outcome)) return
      yield* Effect.sleep(within(random, retryMillis))
    }
  })
  const agentsOfAll = Effect.acquireRelease(
    Effect.sync(() => apis.map(() => new Agent({ keepAlive: true }))),
    (agents) => Effect.sync(() => agents.forEach((agent) => agent.destroy())),
  )

  const client = (index: number) =>
    Effect.gen(function* () {
      const random = makeRandom(seed * 1_000 + index)
      const agents = yield* agentsOfAll
      const sender: Sender = { random, agents, retryMillis: RETRY_MILLIS, aborted: ABORTED }
      for (let n = 0; !state.stopped; n++) {
        const whose =
          index < CLIENTS / 2
            ? hotPlayerOf(index)
            : HOT_PLAYERS + Math.floor(random() * (players.length - HOT_PLAYERS))
        const player = players[whose]
        if (player === undefined) return
        const key = `${keysOf(seed, index)}${n}`
        sent.set(key, player)
        const first = random() < 0.5 ? 0 : 1
        if (random() < TWICE) {
          yield* Effect.all([insist(sender, key, player, 0, false), insist(sender, key, player, 1, false)], {
            concurrency: 2,
          })
        } else yield* insist(sender, key, player, first, true)
        yield* Effect.sleep(within(random, PAUSE_MILLIS))
      }
    }).pipe(Effect.scoped)

  const overload = Effect.fnUntraced(function* (forMillis: number) {
    const random = makeRandom(seed * 1_000 + CLIENTS)
    const sender: Sender = {
      random,
      agents: yield* agentsOfAll,
      retryMillis: OVERLOAD_RETRY_MILLIS,
      aborted: 0,
    }
    const steps = Math.round(forMillis / OVERLOAD_STEP_MILLIS)
    const begun = performance.now()
    for (let step = 0; step < steps; step++) {
      for (let n = 0; n < OVERLOAD_PER_STEP; n++) {
        const player = players[Math.floor(random() * players.length)]
        if (player === undefined) return
        const key = `overload-${seed}-${extra.length}`
        sent.set(key, player)
        extra.push(yield* Effect.forkScoped(insist(sender, key, player, n, true)))
      }
      yield* Effect.sleep(Math.max(0, begun + (step + 1) * OVERLOAD_STEP_MILLIS - performance.now()))
    }
  })

  return {
    sent,
    accepted,
    outcomes,
    findings,
    attempts: () => attempts,
    slowestMillis: () => slowestMillis,
    run: Effect.forEach(
      Array.from({ length: CLIENTS }, (_, index) => index),
      client,
      { concurrency: "unbounded", discard: true },
    ).pipe(Effect.andThen(Effect.suspend(() => Fiber.awaitAll(extra))), Effect.asVoid),
    overload,
    stop: Effect.sync(() => {
      state.stopped = true
    }),
  }
}
