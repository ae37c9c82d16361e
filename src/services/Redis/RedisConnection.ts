import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Redis as Client, type RedisOptions } from "ioredis"
import { parseRedisUrl } from "./RedisUrl.ts"

/**
 * A reader falls back to PostgreSQL, so waiting longer than a slow network needs is worse than failing. Two of
 * these bound a command: with pipelining, one may wait for the batch before it.
 */
const COMMAND_TIMEOUT_MILLIS = 300

/** A connection with an unanswered command and no incoming byte for this long is mute and is replaced. */
const COMMANDS_MUTE_MILLIS = 1_000

/** Nobody waits for the subscriber's commands, so it gives a slow Redis more time than the other connection. */
const SUBSCRIBER_MUTE_MILLIS = 3_000

/** How long a TCP and TLS handshake may take. Commands do not wait for it. */
const CONNECT_TIMEOUT_MILLIS = 2_000

/** How long the start waits for Redis, so that the first requests find it: as long as an outage may cost a reader. */
const FIRST_CONNECT_WAIT = "1 second"

/** How long a release waits for the answer to QUIT. */
const QUIT_WAIT = "500 millis"

/** How long a closed socket may wait for the other side before it is destroyed. */
const DISCONNECT_TIMEOUT_MILLIS = 100

/**
 * 50 ms doubling to 500 ms, the upper half of it random: boards catch up within a second of Redis's return,
 * and many processes do not come back in one instant.
 */
const retryDelayMillis = (attempt: number): number => {
  const ceiling = Math.min(50 * 2 ** (attempt - 1), 500)
  return ceiling / 2 + Math.random() * (ceiling / 2)
}

const common = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MILLIS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MILLIS,
  retryStrategy: retryDelayMillis,
  // A restarted Redis that loads its data is asked again this often.
  maxLoadingRetryTime: 500,
  // While there is no connection a command fails at once: queued ones would pile up during an outage, and be
  // sent after it when nobody waits for them any more. For the same reason a command in flight fails with its
  // connection (0 retries) instead of being sent again on the next one.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // A primary that became a replica refuses writes: the next connection finds the new primary.
  reconnectOnError: (error: Error) => error.message.includes("READONLY"),
} satisfies RedisOptions

const options = {
  commands: {
    ...common,
    commandTimeout: COMMAND_TIMEOUT_MILLIS,
    socketTimeout: COMMANDS_MUTE_MILLIS,
    enableAutoPipelining: true,
    // All readers share one GET, so there is no other to send it with: on its own it costs half.
    autoPipeliningIgnoredCommands: ["get"],
  },
  subscriber: {
    ...common,
    commandTimeout: SUBSCRIBER_MUTE_MILLIS,
    socketTimeout: SUBSCRIBER_MUTE_MILLIS,
    autoResubscribe: false,
  },
} satisfies Record<string, RedisOptions>

/**
 * What went wrong, fit for a log. An ioredis error carries the arguments of its command (the password of AUTH,
 * the addresses on a board), and some Redis messages repeat them: neither is kept.
 */
export const describeRedisError = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown error"
  // The refusals of several addresses of one name come as an AggregateError with an empty message.
  const text = error.message === "" && "code" in error ? String(error.code) : error.message
  return text.replace(/,? with args beginning with:.*/s, "")
}

/** Ends the socket, and destroys it when the other side does not answer. */
const disconnect = (client: Client): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (client.status === "end") return resume(Effect.void)
    client.once("end", () => resume(Effect.void))
    client.disconnect()
  }).pipe(
    // There is no "end" between two attempts to connect; by then the timer of `disconnect` is over as well.
    Effect.timeoutOption(`${DISCONNECT_TIMEOUT_MILLIS * 2} millis`),
    Effect.asVoid,
  )

/** QUIT first, so that Redis has answered what was sent; a mute Redis lets go, too. */
const close = (client: Client): Effect.Effect<void> =>
  Effect.tryPromise(() => client.quit()).pipe(
    Effect.timeoutOption(QUIT_WAIT),
    // Whatever QUIT came to, the connection ends next.
    Effect.ignore,
    Effect.andThen(disconnect(client)),
  )

/**
 * A connection that lives as long as the scope and comes back by itself. Never fails: when Redis is away it is
 * given back after at most a second, and connects in the background. Each outage is logged once, and its end.
 */
export const openConnection = Effect.fnUntraced(function* (
  role: keyof typeof options,
  url: Redacted.Redacted<string>,
): Effect.fn.Return<Client, never, Scope.Scope> {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  let state: "new" | "connected" | "away" | "closing" = "new"
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Client({ ...options[role], ...parseRedisUrl(Redacted.value(url)) })),
    (opened) =>
      Effect.suspend(() => {
        state = "closing"
        return close(opened)
      }),
  )
  const away = (reason: string) => {
    if (state === "away" || state === "closing") return
    state = "away"
    log(Effect.logWarning("Redis is away", { connection: role, reason }))
  }
  client.on("error", (error) => away(describeRedisError(error)))
  client.on("close", () => away("the connection was closed"))
  client.on("ready", () => {
    state = "connected"
    log(Effect.logInfo("Redis is connected", { connection: role }))
  })
  yield* Effect.tryPromise(() => client.connect()).pipe(
    Effect.timeoutOption(FIRST_CONNECT_WAIT),
    // The listeners above report a failure, and ioredis goes on trying.
    Effect.ignore,
  )
  return client
})
