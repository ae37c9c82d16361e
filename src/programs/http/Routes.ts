import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Layer from "effect/Layer"
import { HandledApi } from "../../domain/ScoreboardApi.ts"
import { SOCKET_PATH } from "../board/ScoresSocket.ts"
import { AuthorizationLayer } from "./Authorization.ts"
import { BoardRoute } from "./BoardRoute.ts"
import { DOCS_PATH, Documentation, OPENAPI_PATH, openApi } from "./Documentation.ts"
import { Page, PAGE_PATHS } from "./Page.ts"
import { bareProblem, type Paths } from "./Problems.ts"
import { RanksHandlers } from "./RanksHandlers.ts"
import { ScoresHandlers } from "./ScoresHandlers.ts"
import { EndsSignInLayer } from "./SignInEnd.ts"
import { UsersHandlers } from "./UsersHandlers.ts"

/** `POST /users/auth/…`, `GET /users/me/history`, `POST /scores/increment`, `GET /scores/me` and `GET /scores/page`. */
const ContractRoutes = HttpApiBuilder.layer(HandledApi).pipe(
  Layer.provide([UsersHandlers, ScoresHandlers, RanksHandlers]),
  Layer.provide([AuthorizationLayer, EndsSignInLayer]),
  Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true })),
)

/** A plain request on the WebSocket's path is asked to upgrade; upgrades never reach the router. */
const SocketRoute = HttpRouter.add(
  "GET",
  SOCKET_PATH,
  bareProblem(426, { upgrade: "websocket", connection: "upgrade, close" }),
)

/** The table of contents: every route of the public port. */
export const Routes = Layer.mergeAll(ContractRoutes, BoardRoute, SocketRoute, Documentation, Page)

const readOnly = (path: string): [string, ReadonlyArray<string>] => [path, ["GET", "HEAD"]]

/** Every path of the public port, except the page's files under `/assets/`, with its methods. */
export const paths: Paths = new Map([
  ...Object.entries(openApi.paths).map(([path, item]): [string, ReadonlyArray<string>] => [
    path,
    Object.keys(item).flatMap((method) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()])),
  ]),
  ...[...PAGE_PATHS, DOCS_PATH, OPENAPI_PATH, SOCKET_PATH].map(readOnly),
])

/** The `route` label of a request in the metrics: a known path, `/assets/*` or `other`. */
export const routeOf = (_method: string, path: string): string =>
  paths.has(path) ? path : path.startsWith("/assets/") ? "/assets/*" : "other"
