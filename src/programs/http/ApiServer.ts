import * as ByteSize from "effect/ByteSize"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { MAX_BODY_BYTES } from "../../foundation/PublicHttp.ts"
import { Listener, ListenPort, type Upgrade } from "../../services/Listener/Listener.ts"
import { gateConfig, makeGate } from "../../services/Listener/ListenerGate.ts"
import { pathOf } from "../../services/Listener/ListenerGuards.ts"
import { SocketHub } from "../../services/SocketHub/SocketHub.ts"
import { formOf, SOCKET_PATH } from "../board/ScoresSocket.ts"
import { Health } from "../observe/Health.ts"
import { BOARD_PATH, boardRound } from "./BoardRoute.ts"
import { makeOrigins } from "./Origins.ts"
import { withProblems } from "./Problems.ts"
import { paths, routeOf, Routes } from "./Routes.ts"

/** A path has one spelling, so caches, proxies and metrics name the same thing as the router. */
const EXACT = { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }

/** Where the API listens; the default of `HOST` differs between a laptop and a container. */
export const apiConfig = (defaultHost: string) => ({
  host: Config.String("HOST").pipe(Config.withDefault(defaultHost)),
  port: Config.schema(ListenPort, "PORT").pipe(Config.withDefault(8080)),
})

/** The open public port, with the number it has. */
export class ApiServer extends Context.Service<ApiServer, { readonly host: string; readonly port: number }>()(
  "scoreboard/programs/ApiServer",
) {
  /**
   * Serves until its scope ends. Then it drains: it reports not ready, refuses new connections, closes the sockets one
   * after the other and finishes the answers in flight.
   */
  static readonly layer = (defaultHost: string) =>
    Layer.effect(
      ApiServer,
      Effect.suspend(() => make(defaultHost)),
    ).pipe(Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize)(ByteSize.bytes(MAX_BODY_BYTES))))
}

const make = Effect.fnUntraced(function* (defaultHost: string) {
  const { host, port } = yield* Config.all(apiConfig(defaultHost))
  const gate = makeGate(yield* gateConfig.edgeSecrets)
  const listener = yield* Listener
  const hub = yield* SocketHub
  const health = yield* Health
  const origins = yield* makeOrigins
  const app = yield* Effect.provideService(HttpRouter.toHttpEffect(Routes), HttpRouter.RouterConfig, EXACT)

  const upgrade: Upgrade = (request, socket, head, address) => {
    if (pathOf(request.url) !== SOCKET_PATH) return { status: 404, title: "Not Found" }
    if (!origins.admits(request.headers.origin, request.headers.host)) {
      return { status: 403, title: "Forbidden" }
    }
    return hub.accept(request, socket, head, address, formOf(request.url ?? "/"))
  }

  const listening = yield* listener.serve({
    host,
    port,
    app: origins.share(withProblems(app, paths)),
    rounds: new Map([[BOARD_PATH, origins.shareRound(yield* boardRound)]]),
    upgrade,
    routeOf,
    gate,
  })
  // Half of the time is for the sockets to leave one after the other, the rest for slow answers.
  const window = Duration.times(listener.shutdownTimeout, 0.5)
  yield* Effect.addFinalizer(() =>
    Effect.all([
      health.drain,
      listening.leave,
      Effect.all([listening.drain, hub.drain(window)], { concurrency: "unbounded", discard: true }),
    ]),
  )
  yield* Effect.logInfo("The API is listening").pipe(Effect.annotateLogs({ host, port: listening.port }))
  return { host, port: listening.port }
})
