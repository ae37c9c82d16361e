import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Option from "effect/Option"
import { Listener, ListenPort } from "../../services/Listener/Listener.ts"
import { ProcessMetrics } from "../../services/ProcessMetrics.ts"
import { Health } from "../observe/Health.ts"
import { type Paths, withProblems } from "../http/Problems.ts"

const LIVE = "/health/live"
const READY = "/health/ready"
const METRICS = "/metrics"
const paths: Paths = new Map(
  [LIVE, READY, METRICS].map((path): [string, ReadonlyArray<string>] => [path, ["GET", "HEAD"]]),
)

const noStore = { "cache-control": "no-store" }

const Routes = Layer.mergeAll(
  HttpRouter.add("GET", LIVE, HttpServerResponse.jsonUnsafe({ status: "live" }, { headers: noStore })),
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const health = yield* Health
      yield* router.add(
        "GET",
        READY,
        Effect.map(health.report, ({ ready, ...body }) =>
          HttpServerResponse.jsonUnsafe(body, { status: ready ? 200 : 503, headers: noStore }),
        ),
      )
    }),
  ),
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const figures = yield* ProcessMetrics
      const text = Effect.andThen(figures.sample, PrometheusMetrics.format())
      yield* router.add(
        "GET",
        METRICS,
        Effect.map(text, (body) =>
          HttpServerResponse.text(body, {
            contentType: "text/plain; version=0.0.4; charset=utf-8",
            headers: noStore,
          }),
        ),
      )
    }),
  ),
)

/** Where the management port listens. `MANAGEMENT_PORT` absent = no such port, 0 = any free one. */
export const managementConfig = (defaultHost: string) => ({
  host: Config.String("HOST").pipe(Config.withDefault(defaultHost)),
  port: Config.option(Config.schema(ListenPort, "MANAGEMENT_PORT")),
})

/** Opens the port and serves until the scope closes. */
export const serveManagement = Effect.fnUntraced(function* (host: string, port: number) {
  const listener = yield* Listener
  const app = yield* HttpRouter.toHttpEffect(Routes)
  return yield* listener.serve({
    host,
    port,
    app: withProblems(app, paths),
    routeOf: (_method, path) => (paths.has(path) ? path : "other"),
  })
})

/** A port for operators beside the public one: health and metrics. There is none when `MANAGEMENT_PORT` is not set. */
export const Management = (defaultHost: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { host, port } = yield* Config.all(managementConfig(defaultHost))
      if (Option.isNone(port)) return
      const listening = yield* serveManagement(host, port.value)
      yield* Effect.logInfo("Health and metrics are served").pipe(
        Effect.annotateLogs({ host, port: listening.port }),
      )
    }),
  )
