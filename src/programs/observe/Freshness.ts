import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/**
 * Steps on the way from a commit to the viewers' sockets:
 * - `commit-queue`: commit → SQS has taken its messages; one value per commit.
 * - `commit-worker`: commit → a worker has received the message for the first time; one value per message.
 * - `worker-redis`: a batch is received → the board that shows it is in Redis; one value per batch.
 * - `redis-hub`: a board is on its way into Redis → an API process has heard of it; per board and process.
 * - `hub-sockets`: that → it is written to the last socket, the broadcast interval included; per board sent.
 * - `commit-sockets`: the newest commit on the board → it is written to the last socket; per board sent.
 */
export type Hop =
  | "commit-queue"
  | "commit-worker"
  | "worker-redis"
  | "redis-hub"
  | "hub-sockets"
  | "commit-sockets"

/** Seconds. A hop in one machine is under 5 ms, the goal for the whole way is 300 ms; an outage is seen up to 5 min. */
const hops = Metric.histogram("board_freshness_seconds", {
  description: "Time of each step from a commit to the viewers' sockets.",
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
 * Counts a step that ends now and began at these times, in milliseconds since 1970. The beginning may be another
 * machine's time: what a clock behind it makes negative counts as 0.
 */
export const measureHop = (hop: Hop, ...since: ReadonlyArray<number>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.map(Effect.context<never>(), (context) => {
      for (const start of since) handles[hop].updateUnsafe(Math.max(0, now - start) / 1000, context)
    }),
  )
