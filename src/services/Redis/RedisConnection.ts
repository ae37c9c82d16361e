import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Redis as Client, type RedisOptions } from "ioredis"
import { RedisFailure } from "./Redis.ts"
import { parseRedisUrl } from "./RedisUrl.ts"

/**
 * The time limit of a command: no longer than a slow network needs. A command may take twice as long, because with
 * pipelining it may first wait for the batch before it. `RedisPatience` releases callers with a fallback much earlier.
 */
const COMMAND_TIMEOUT_MILLIS = 300

/** A connection is unresponsive, and is replaced, if a command is unanswered and no byte arrives for this long. */
const COMMANDS_SILENCE_MILLIS = 1_000

/** The same for the subscriber. No caller waits for its commands, so it gives a slow Redis more time. */
const SUBSCRIBER_SILENCE_MILLIS = 3_000

/** The time limit of a TCP and TLS handshake. Commands do not wait for it. */
const CONNECT_TIMEOUT_MILLIS = 2_000

/** How long the process waits for Redis when it starts, so that the first requests find a connection. */
const FIRST_CONNECT_WAIT = "1 second"

/** How long the release of a connection waits for the answer to QUIT. */
const QUIT_WAIT = "500 millis"

/** How long a closed socket may wait for the other side before it is destroyed. */
const DISCONNECT_TIMEOUT_MILLIS = 100

/**
 * The backoff between two attempts to connect: 50 ms, doubling to 500 ms, with jitter over its upper half. Boards are
 * current within a second after an outage, and the processes do not all connect in the same instant.
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
  // A Redis that was restarted and still loads its data is asked again this often, in milliseconds.
  maxLoadingRetryTime: 500,
  // Without a connection a command fails at once. A queue of commands would grow during an outage and be sent after
  // it, when their callers no longer wait. For the same reason a command in flight fails with its connection (0
  // retries) and is not sent again on the next one.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // A primary that became a replica refuses writes; a new connection reaches the new primary.
  reconnectOnError: (error: Error) => error.message.includes("READONLY"),
} satisfies RedisOptions

const options = {
  commands: {
    ...common,
    commandTimeout: COMMAND_TIMEOUT_MILLIS,
    socketTimeout: COMMANDS_SILENCE_MILLIS,
    enableAutoPipelining: true,
    // All readers share one GET, so there is no second command to put into one pipeline with it. A GET that is sent
    // without one costs half.
    autoPipeliningIgnoredCommands: ["get"],
  },
  subscriber: {
    ...common,
    commandTimeout: SUBSCRIBER_SILENCE_MILLIS,
    socketTimeout: SUBSCRIBER_SILENCE_MILLIS,
    autoResubscribe: false,
  },
} satisfies Record<string, RedisOptions>

/**
 * The message of an error, safe to log. An ioredis error contains the arguments of its command (the password of AUTH,
 * the addresses on a board), and some messages of Redis repeat them: both are left out.
 */
export const describeRedisError = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown error"
  // If several addresses of one name refuse, Node gives an AggregateError with an empty message.
  const text = error.message === "" && "code" in error ? String(error.code) : error.message
  return text.replace(/,? with args beginning with:.*/s, "")
}

/** The failure of a command, safe to log. */
export const failureOf = (operation: RedisFailure["operation"], error: unknown): RedisFailure =>
  new RedisFailure({ operation, cause: new Error(describeRedisError(error)) })

/** Ends the socket, and destroys it if the other side does not answer. */
const disconnect = (client: Client): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (client.status === "end") return resume(Effect.void)
    client.once("end", () => resume(Effect.void))
    client.disconnect()
  }).pipe(
    // Between two attempts to connect there is no "end" event. The timer of `disconnect` has ended by then as well.
    Effect.timeoutOption(`${DISCONNECT_TIMEOUT_MILLIS * 2} millis`),
    Effect.asVoid,
  )

/** Sends QUIT first, so that Redis answers the commands before it. An unresponsive Redis does not delay this for long. */
const close = (client: Client): Effect.Effect<void> =>
  Effect.tryPromise(() => client.quit()).pipe(
    Effect.timeoutOption(QUIT_WAIT),
    // The connection ends next, whether QUIT succeeded or not.
    Effect.ignore,
    Effect.andThen(disconnect(client)),
  )

/**
 * Opens a connection that lives as long as the scope and reconnects by itself. Never fails: if Redis is unavailable, it
 * returns after at most a second and connects in the background. The log has one line for the start of an outage and
 * one for its end.
 */
export const openConnection = Effect.fnUntraced(function* (
  role: keyof typeof options,
  url: Redacted.Redacted<string>,
): Effect.fn.Return<Client, never, Scope.Scope> {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  let state: "new" | "connected" | "unavailable" | "closing" = "new"
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Client({ ...options[role], ...parseRedisUrl(Redacted.value(url)) })),
    (opened) =>
      Effect.suspend(() => {
        state = "closing"
        return close(opened)
      }),
  )
  const lost = (reason: string) => {
    if (state === "unavailable" || state === "closing") return
    state = "unavailable"
    log(Effect.logWarning("Redis is unavailable", { connection: role, reason }))
  }
  client.on("error", (error) => lost(describeRedisError(error)))
  client.on("close", () => lost("the connection was closed"))
  client.on("ready", () => {
    state = "connected"
    log(Effect.logInfo("Redis is connected", { connection: role }))
  })
  yield* Effect.tryPromise(() => client.connect()).pipe(
    Effect.timeoutOption(FIRST_CONNECT_WAIT),
    // The listeners above report a failure, and ioredis tries again.
    Effect.ignore,
  )
  return client
})
