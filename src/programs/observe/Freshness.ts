import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/**
 * The hops of the path from a commit to the viewers' sockets, each with its start, its end and how often it is measured:
 * - `commit-queue`: from the commit until SQS has accepted its messages; once per commit.
 * - `commit-worker`: from the commit until a worker receives the message for the first time; once per message.
 * - `worker-redis`: from the arrival of a batch until a board that shows it is in Redis; once per batch.
 * - `redis-hub`: from the offer of a board to Redis until an API process receives it; once per board and process.
 * - `hub-sockets`: from then until the board is written to the last socket, with the wait for its broadcast; once per
 *   board sent.
 * - `commit-sockets`: from the newest commit on a board until it is written to the last socket; once per board sent.
 */
export type Hop =
  | "commit-queue"
  | "commit-worker"
  | "worker-redis"
  | "redis-hub"
  | "hub-sockets"
  | "commit-sockets"

/**
 * In seconds. A hop within one machine takes under 5 ms, the goal for the whole path is 300 ms, and an outage can be
 * seen up to 5 minutes.
 */
const hops = Metric.histogram("board_freshness_seconds", {
  description: "Time of each hop from a commit to the viewers' sockets.",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
})

const handles: Readonly<Record<Hop, Metric.Metric<number, unknown>>> = {
  "commit-queue": Metric.withAttributes(hops, { hop: "commit-queue" }),
  "commit-worker": Metric.withAttributes(hops, { hop: "commit-worker" }),
  "worker-redis": Metric.withAttributes(hops, { hop: "worker-redis" }),
  "redis-hub": Metric.withAttributes(hops, { hop: "redis-hub" }),
  "hub-sockets": Metric.withAttributes(hops, { hop: "hub-sockets" }),
  "commit-sockets": Metric.withAttributes(hops, { hop: "commit-sockets" }),
}

/**
 * Measures hops that end now and began at these times, in milliseconds since 1970. The start may come from the clock of
 * another machine; if this machine's clock is behind it, the hop counts as 0.
 */
export const measureHop = (hop: Hop, ...since: ReadonlyArray<number>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.map(Effect.context<never>(), (context) => {
      for (const start of since) handles[hop].updateUnsafe(Math.max(0, now - start) / 1000, context)
    }),
  )
