import * as Effect from "effect/Effect"
import type { Redis } from "ioredis"
import type { ChildProcess } from "../../test/support/engines/ChildProcess.ts"
import { topScore } from "./board.ts"
import { settled } from "./held.ts"
import { publish as publishBoard, readDuring } from "./load.ts"
import { cpuMicros, pause, startViewers, type Viewers } from "./process.ts"

/** Boards a second in the processor-time part: far below what any of the servers can do. */
const BOARDS_PER_SECOND = 5

/** Boards whose way to the last viewer is timed, and the time between two: all viewers have the one before. */
const TIMED_BOARDS = 8
const TIMED_EVERY_MILLIS = 700

/** What is measured of one server in one fresh process. */
export const FIGURES = [
  "CPU per 1,000 boards delivered, ms",
  "resident memory per idle socket, KiB",
  "JavaScript's memory per idle socket, KiB",
  "connects per second",
  "CPU per 1,000 connects, ms",
  "published → last viewer, ms",
  "GET /scores p99 idle, ms",
  "GET /scores p99 during broadcasts, ms",
  "p99 during ÷ idle",
] as const
export type Measured = Readonly<Record<(typeof FIGURES)[number], number>>

const quantile = (values: ReadonlyArray<number>, q: number) => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

let version = 0

const publish = (redis: Redis) => publishBoard(redis, ++version)

const delivered = async (viewers: ReadonlyArray<Viewers>) => {
  const reports = await Promise.all(viewers.map((one) => one.report()))
  return reports.reduce((sum, { boards }) => sum + boards, 0)
}

/** Of a board: how many viewers have it, and when the last of them got it. */
const arrivalOf = async (viewers: ReadonlyArray<Viewers>, board: number) => {
  const reports = await Promise.all(viewers.map((one) => one.report()))
  const arrivals = reports.flatMap(({ each }) => each.filter((one) => one.topScore === topScore(board)))
  return {
    viewers: arrivals.reduce((sum, arrival) => sum + arrival.viewers, 0),
    lastAt: Math.max(...arrivals.map(({ lastAt }) => lastAt)),
  }
}

/** Waits until `count` viewers have the newest board; broken when that takes over 20 s. */
const allHaveNewest = async (viewers: ReadonlyArray<Viewers>, count: number) => {
  const limit = performance.now() + 20_000
  for (;;) {
    const arrival = await arrivalOf(viewers, version)
    if (arrival.viewers === count) return
    if (performance.now() > limit)
      throw new Error(`${arrival.viewers} of ${count} viewers have the newest board`)
    await pause(20)
  }
}

/** Drives one fresh server through all parts. */
export const measure = Effect.fnUntraced(function* (target: {
  readonly server: ChildProcess
  readonly port: number
  readonly protocol: "websocket" | "socket.io"
  readonly redis: Redis
  readonly addresses: ReadonlyArray<string>
  readonly sockets: number
  readonly seconds: number
}) {
  const { server, port, protocol, redis, addresses, sockets } = target
  const { pid } = server
  const open = (viewers: Viewers, count: number) => viewers.open({ port, protocol, count, from: addresses })
  // Compiled code and grown tables are there before anything is measured.
  const warmUp = Effect.gen(function* () {
    const guests = yield* startViewers
    yield* Effect.promise(async () => {
      // Boards come until all have one: the API starts with an empty one of its own, whenever it has read that.
      const opened = { is: false }
      const opening = open(guests, 200).finally(() => {
        opened.is = true
      })
      while (!opened.is) {
        await publish(redis)
        await pause(60)
      }
      await opening
      for (let n = 0; n < 20; n++) {
        await publish(redis)
        await pause(60)
      }
      await readDuring(port, pause(1000))
    })
  })
  yield* Effect.scoped(warmUp)

  const first = yield* startViewers
  const cpuBefore = cpuMicros(pid)
  const millis = yield* Effect.promise(() => open(first, sockets))
  const connectCpu = cpuMicros(pid) - cpuBefore

  const cpu = yield* Effect.promise(async () => {
    await first.reset()
    const started = cpuMicros(pid)
    const boards = BOARDS_PER_SECOND * target.seconds
    for (let n = 0; n < boards; n++) {
      await publish(redis)
      await pause(1000 / BOARDS_PER_SECOND)
    }
    await allHaveNewest([first], sockets)
    // A server may leave out a board that a newer one overtook: what arrived counts.
    return (cpuMicros(pid) - started) / (await delivered([first]))
  })

  // The first half has taken up what was free in the process: the second costs what sockets cost.
  const second = yield* startViewers
  const audience = [first, second]
  const half = yield* Effect.promise(() => settled(server))
  yield* Effect.promise(() => open(second, sockets))
  const whole = yield* Effect.promise(() => settled(server))
  const toLast = yield* Effect.promise(async () => {
    const times: Array<number> = []
    for (let n = 0; n < TIMED_BOARDS; n++) {
      const at = await publish(redis)
      await pause(TIMED_EVERY_MILLIS)
      await allHaveNewest(audience, sockets * 2)
      times.push((await arrivalOf(audience, version)).lastAt - at)
    }
    return times
  })

  const [quiet, busy] = yield* Effect.promise(async () => {
    const quietTimes = await readDuring(port, pause(target.seconds * 500))
    // Each board as soon as the last viewer has the one before: nearly always in the middle of a broadcast.
    const broadcasting = async () => {
      const until = performance.now() + target.seconds * 500
      while (performance.now() < until) {
        await publish(redis)
        await allHaveNewest(audience, sockets * 2)
      }
    }
    return [quantile(quietTimes, 0.99), quantile(await readDuring(port, broadcasting()), 0.99)]
  })

  const measured: Measured = {
    "CPU per 1,000 boards delivered, ms": cpu,
    "resident memory per idle socket, KiB": (whole.resident - half.resident) / sockets / 1024,
    "JavaScript's memory per idle socket, KiB": (whole.held - half.held) / sockets / 1024,
    "connects per second": (sockets * 1000) / millis,
    "CPU per 1,000 connects, ms": connectCpu / sockets,
    "published → last viewer, ms": quantile(toLast, 0.5),
    "GET /scores p99 idle, ms": quiet ?? Number.NaN,
    "GET /scores p99 during broadcasts, ms": busy ?? Number.NaN,
    "p99 during ÷ idle": (busy ?? Number.NaN) / (quiet ?? Number.NaN),
  }
  return measured
}, Effect.scoped)
