import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { createServer, type IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { ListenerAnswer } from "./ListenerAnswer.ts"
import { CLIENT_ADDRESS, makeClientReader } from "./ListenerClient.ts"
import {
  admit,
  endRaw,
  MAX_HEADER_BYTES,
  nameRequest,
  pathOf,
  refuse,
  refuseMalformed,
} from "./ListenerGuards.ts"
import { hasSeveralAuthorizations, STANDING, STANDING_WHILE_LEAVING } from "./ListenerHeaders.ts"
import { makeMeasure, type RouteOf } from "./ListenerMeasure.ts"
import { close, type ListenFailure, listen } from "./ListenerPort.ts"
import { makeRounds, type Round } from "./ListenerRounds.ts"

/** The number of a port to listen on: 0 = a free one, which the log names. */
export const ListenPort = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

/** Proxies of our own between the clients and this process. */
const ProxyHops = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 16 }))

/** Time for all headers to arrive: a slow sender holds one socket, nothing else. */
const HEADERS_TIMEOUT_MILLIS = 10_000

/** Time for a whole request to arrive; bodies are 16 KiB at the most. */
const REQUEST_TIMEOUT_MILLIS = 15_000

/** How late the two time limits may strike; Node's own 30 s would be longer than the limits. */
const CHECK_TIMEOUTS_EVERY_MILLIS = 1_000

/** Longer than the 60 s after which common load balancers drop an idle connection, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MILLIS = 65_000

/** What becomes of a request to upgrade by the client of this address: taken over (undefined), or refused. */
export type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  address: string,
) => UpgradeRefusal | undefined

/** The answer to an upgrade that is not taken; `headers` are whole lines. */
export interface UpgradeRefusal {
  readonly status: number
  readonly title: string
  readonly headers?: ReadonlyArray<string>
}

export interface ServeOptions {
  readonly host: string
  /** 0 = a free one, which the result names. */
  readonly port: number
  /** The finished application: every route, every error already an answer. */
  readonly app: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    never,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** Paths whose plain GET and HEAD are answered in rounds: as `app` would answer them, for less. */
  readonly rounds?: ReadonlyMap<string, Round>
  /** Takes over the connection, or gives the status with which the upgrade is refused. Absent = none is taken. */
  readonly upgrade?: Upgrade
  readonly routeOf: RouteOf
}

/** An open port. Closing the scope it was opened in drains it. */
export interface Listening {
  readonly port: number
  /**
   * From now on every answer ends its connection, so that clients move on by themselves; done after
   * `SHUTDOWN_DELAY`, in which everything is still served. Idempotent.
   */
  readonly leave: Effect.Effect<void>
  /**
   * Stops accepting connections and waits until the requests in flight are answered, at most
   * `SHUTDOWN_TIMEOUT`; then cuts what is left. Idempotent.
   */
  readonly drain: Effect.Effect<void>
}

export class Listener extends Context.Service<
  Listener,
  {
    /** How long a drain may take in all. */
    readonly shutdownTimeout: Duration.Duration
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

/** Nothing about it may have to be refused, and no body, which even a GET may have, be read or cut off. */
const isPlainRead = ({ method, headers }: IncomingMessage) =>
  (method === "GET" || method === "HEAD") &&
  headers.host !== undefined &&
  headers["content-length"] === undefined &&
  headers["transfer-encoding"] === undefined

const serve = Effect.fnUntraced(function* (
  options: ServeOptions,
  settings: {
    readonly shutdownDelay: Duration.Duration
    readonly shutdownTimeout: Duration.Duration
    readonly trustedProxyHops: number
  },
) {
  const scope = yield* Effect.scope
  // Made before the server, so closed after it: requests in flight are answered, not interrupted.
  const requests = yield* Scope.fork(scope)
  const context = yield* Effect.context<never>()
  const handle = yield* NodeHttpServer.makeHandler(options.app, { scope: requests })

  const fork = Effect.runForkWith(context)
  const clients = makeClientReader(settings.trustedProxyHops, () =>
    fork(
      Effect.logWarning(
        "A forwarding header was ignored: set TRUSTED_PROXY_HOPS if a proxy of yours is in front",
      ),
    ),
  )
  const measure = makeMeasure(options.routeOf, context)

  const toApplication = (request: IncomingMessage, response: ListenerAnswer) => {
    measure.whenClosed(response)
    request.headers[CLIENT_ADDRESS] = clients.addressOf(request)
    if (hasSeveralAuthorizations(request)) delete request.headers.authorization
    if (admit(request, response)) handle(request, response)
  }
  const rounds = new Map(
    Array.from(options.rounds ?? [], ([path, round]) => [
      path,
      makeRounds({
        round,
        measure,
        leave: toApplication,
        fork: (effect) => Fiber.runIn(fork(effect), requests),
      }),
    ]),
  )

  const server = createServer({
    ServerResponse: ListenerAnswer,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MILLIS,
    requestTimeout: REQUEST_TIMEOUT_MILLIS,
    connectionsCheckingInterval: CHECK_TIMEOUTS_EVERY_MILLIS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MILLIS,
    // An offer of another protocol (h2c, as curl and Java make it) may be passed over: the request is a plain one.
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
    // `admit` refuses what has no Host: Node's own refusal carries no request id.
    requireHostHeader: false,
    // Nothing is read of a request that announces no body: it reads as an empty one at once, for much less.
    optimizeEmptyRequests: true,
  })
  let standing = STANDING
  const prepare = (request: IncomingMessage, response: ListenerAnswer) => {
    measure.arrived(response)
    response.standing = clients.isSecure(request) ? standing.secure : standing.plain
    response.requestId = nameRequest(request)
  }
  server.on("request", (request, response) => {
    prepare(request, response)
    const answer = (isPlainRead(request) ? rounds.get(pathOf(request.url)) : undefined) ?? toApplication
    answer(request, response)
  })
  server.on("checkExpectation", (request, response) => {
    prepare(request, response)
    measure.whenClosed(response)
    if (admit(request, response)) refuse(response, 417, "Expectation Failed")
  })
  server.on("clientError", refuseMalformed)
  const { upgrade } = options
  if (upgrade !== undefined) {
    server.on("upgrade", (request, socket, head) => {
      const refusal = upgrade(request, socket, head, clients.addressOf(request))
      if (refusal !== undefined) endRaw(socket, refusal.status, refusal.title, refusal.headers)
    })
  }

  const leave = Effect.sync(() => {
    standing = STANDING_WHILE_LEAVING
  })
  const drain = yield* Effect.cached(Effect.andThen(leave, close(server, settings.shutdownTimeout)))
  yield* Scope.addFinalizer(scope, drain)
  yield* listen(server, options.host, options.port)
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    leave: yield* Effect.cached(Effect.andThen(leave, Effect.sleep(settings.shutdownDelay))),
    drain,
  }
})
