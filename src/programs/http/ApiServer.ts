import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as OpenApi from "effect/http-api/OpenApi"
import * as ByteSize from "effect/ByteSize"
import * as Layer from "effect/Layer"
import { HandledApi, ScoreboardApi } from "../../domain/ScoreboardApi.ts"
import { Listener, ListenPort, type Upgrade } from "../../services/Listener/Listener.ts"
import { MAX_BODY_BYTES, pathOf } from "../../services/Listener/ListenerGuards.ts"
import { SocketHub } from "../../services/SocketHub/SocketHub.ts"
import { AuthorizationLayer } from "./Authorization.ts"
import { Health } from "../observe/Health.ts"
import { makeOrigins } from "./Origins.ts"
import { Page } from "./Page.ts"
import { bareProblem, type Paths, withProblems } from "./Problems.ts"
import { RanksHandlers } from "./RanksHandlers.ts"
import { boardRound, BoardRoute, ScoresHandlers } from "./ScoresHandlers.ts"
import { formOf, SOCKET_PATH } from "../board/ScoresSocket.ts"
import { UsersHandlers } from "./UsersHandlers.ts"

const openApi = OpenApi.fromApi(ScoreboardApi)
const OPENAPI_PATH = "/openapi.json"
const DOCS_PATH = "/docs"

/** Scalar's page is one document with its script in it, and shows what is in this file: nothing of a user. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

const withDocsPolicy = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    pathOf(request.url) === DOCS_PATH
      ? Effect.map(app, HttpServerResponse.setHeader("content-security-policy", DOCS_POLICY))
      : app,
  )

/** Every path there is. */
const paths: Paths = new Map([
  ...Object.entries(openApi.paths).map(([path, item]): [string, ReadonlyArray<string>] => [
    path,
    Object.keys(item).flatMap((method) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()])),
  ]),
  ...["/", "/favicon.svg", DOCS_PATH, OPENAPI_PATH, SOCKET_PATH].map(
    (path): [string, ReadonlyArray<string>] => [path, ["GET", "HEAD"]],
  ),
])

const routeOf = (_method: string, path: string): string =>
  paths.has(path) ? path : path.startsWith("/assets/") ? "/assets/*" : "other"

/** The table of contents: every route of the public port. */
const Routes = Layer.mergeAll(
  HttpApiBuilder.layer(HandledApi).pipe(
    Layer.provide([UsersHandlers, ScoresHandlers, RanksHandlers]),
    Layer.provide(AuthorizationLayer),
    Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
  ),
  BoardRoute,
  HttpRouter.add("GET", OPENAPI_PATH, HttpServerResponse.jsonUnsafe(openApi)),
  HttpApiScalar.layer(ScoreboardApi, { path: DOCS_PATH }),
  Page,
  HttpRouter.add(
    "GET",
    SOCKET_PATH,
    bareProblem(426, { upgrade: "websocket", connection: "upgrade, close" }),
  ),
)

/** A path has one spelling: caches, proxies and metrics then speak of the same thing as the router. */
const EXACT = { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }

/** Where the API listens; `HOST` differs between a laptop and a container. */
export const apiConfig = (defaultHost: string) => ({
  host: Config.String("HOST").pipe(Config.withDefault(defaultHost)),
  port: Config.schema(ListenPort, "PORT").pipe(Config.withDefault(8080)),
})

/** The public port, open: which one it is. */
export class ApiServer extends Context.Service<ApiServer, { readonly host: string; readonly port: number }>()(
  "scoreboard/programs/ApiServer",
) {
  /** Serves until its scope ends; then drains: readiness off, no newcomers, sockets closed in turn, answers finished. */
  static readonly layer = (defaultHost: string) =>
    Layer.effect(
      ApiServer,
      Effect.gen(function* () {
        const { host, port } = yield* Config.all(apiConfig(defaultHost))
        const listener = yield* Listener
        const hub = yield* SocketHub
        const health = yield* Health
        const origins = yield* makeOrigins
        const app = withDocsPolicy(
          yield* Effect.provideService(HttpRouter.toHttpEffect(Routes), HttpRouter.RouterConfig, EXACT),
        )

        const upgrade: Upgrade = (request, socket, head, address) =>
          pathOf(request.url) !== SOCKET_PATH
            ? { status: 404, title: "Not Found" }
            : origins.admits(request.headers.origin, request.headers.host)
              ? hub.accept(request, socket, head, address, formOf(request.url ?? "/"))
              : { status: 403, title: "Forbidden" }

        const listening = yield* listener.serve({
          host,
          port,
          app: origins.share(withProblems(app, paths)),
          rounds: new Map([["/scores", origins.shareRound(yield* boardRound)]]),
          upgrade,
          routeOf,
        })
        // Half of the time for the sockets to leave in turn, the rest for what is slow to answer.
        const window = Duration.times(listener.shutdownTimeout, 0.5)
        yield* Effect.addFinalizer(() =>
          Effect.all([
            health.drain,
            listening.leave,
            Effect.all([listening.drain, hub.drain(window)], { concurrency: "unbounded", discard: true }),
          ]),
        )
        yield* Effect.logInfo("The API is listening").pipe(
          Effect.annotateLogs({ host, port: listening.port }),
        )
        return { host, port: listening.port }
      }),
    ).pipe(Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize)(ByteSize.bytes(MAX_BODY_BYTES))))
}
