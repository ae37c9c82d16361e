import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { close, type ListenFailure, listen } from "./ListenerPort.ts"
import { makeRequestHandlers, type Served } from "./ListenerRequests.ts"
import { makeServer } from "./ListenerServer.ts"

export type { Upgrade } from "./ListenerRequests.ts"

/** The number of a port to listen on; 0 = a free one, which the log names. */
export const ListenPort = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

/** Our own proxies between the clients and this process. */
const ProxyHops = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 16 }))

/** A port, and what it serves. */
export interface ServeOptions extends Served {
  readonly host: string
  /** 0 = a free one, which the result names. */
  readonly port: number
}

/** An open port. Closing the scope it was opened in drains it. */
export interface Listening {
  readonly port: number
  /**
   * From now on every answer closes its connection, so that clients reconnect elsewhere. Ends after `SHUTDOWN_DELAY`,
   * during which everything is still served. Idempotent.
   */
  readonly leave: Effect.Effect<void>
  /**
   * Stops accepting connections and waits until the requests in flight are answered, at most `SHUTDOWN_TIMEOUT`. Then
   * it cuts the connections that are left. Idempotent.
   */
  readonly drain: Effect.Effect<void>
}

/** Opens HTTP ports with the same limits, headers and shutdown for every port of a process. */
export class Listener extends Context.Service<
  Listener,
  {
    /** The limit for a whole drain. */
    readonly shutdownTimeout: Duration.Duration
    /** Opens a port and serves until the scope closes. Fails when the port cannot be opened. */
    serve(options: ServeOptions): Effect.Effect<Listening, ListenFailure, Scope.Scope>
  }
>()("scoreboard/services/Listener") {
  static readonly config = {
    shutdownDelay: Config.Duration("SHUTDOWN_DELAY").pipe(Config.withDefault(Duration.zero)),
    shutdownTimeout: Config.Duration("SHUTDOWN_TIMEOUT").pipe(Config.withDefault(Duration.seconds(10))),
    trustedProxyHops: Config.schema(ProxyHops, "TRUSTED_PROXY_HOPS").pipe(Config.withDefault(0)),
  }

  static readonly layer = Layer.effect(
    Listener,
    Effect.map(Config.all(Listener.config), (settings) =>
      Listener.of({
        shutdownTimeout: settings.shutdownTimeout,
        serve: (options) => serve(options, settings),
      }),
    ),
  )
}

interface Settings {
  readonly shutdownDelay: Duration.Duration
  readonly shutdownTimeout: Duration.Duration
  readonly trustedProxyHops: number
}

/** The life of a port: open, leave, drain. */
const serve = Effect.fnUntraced(function* (options: ServeOptions, settings: Settings) {
  const scope = yield* Effect.scope
  // Forked before the drain is registered, so closed after it: requests in flight are answered, not interrupted.
  const requests = yield* Scope.fork(scope)
  const handlers = yield* makeRequestHandlers(options, settings.trustedProxyHops, requests)
  const server = makeServer(handlers)

  const closeConnections = Effect.sync(handlers.closeConnections)
  const drain = yield* Effect.cached(
    Effect.andThen(closeConnections, close(server, settings.shutdownTimeout)),
  )
  yield* Scope.addFinalizer(scope, drain)
  yield* listen(server, options.host, options.port)
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    leave: yield* Effect.cached(Effect.andThen(closeConnections, Effect.sleep(settings.shutdownDelay))),
    drain,
  }
})
