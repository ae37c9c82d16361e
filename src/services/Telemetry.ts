import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import process from "node:process"

/** What is logged, in which format, and where traces are sent. */
export const telemetryConfig = {
  level: Config.LogLevel("LOG_LEVEL").pipe(Config.withDefault("Info" as const)),
  format: Config.option(Config.Literals(["json", "pretty", "logfmt"], "LOG_FORMAT")),
  endpoint: Config.option(Config.URL("OTEL_EXPORTER_OTLP_ENDPOINT")),
  serviceName: Config.String("OTEL_SERVICE_NAME").pipe(Config.withDefault("scoreboard")),
}

const logger = (format: Option.Option<"json" | "pretty" | "logfmt">) => {
  const chosen = Option.getOrElse(format, () => (process.stdout.isTTY ? "pretty" : "json"))
  if (chosen === "json") return Logger.consoleJson
  return chosen === "logfmt" ? Logger.consoleLogFmt : Logger.consolePretty()
}

/** Log lines on standard output, and traces to an OpenTelemetry collector if an endpoint is set. */
export const Telemetry = Layer.unwrap(
  Effect.gen(function* () {
    const { level, format, endpoint, serviceName } = yield* Config.all(telemetryConfig)
    const logs = Layer.merge(Logger.layer([logger(format)]), Layer.succeed(References.MinimumLogLevel, level))
    if (Option.isNone(endpoint)) return logs
    const traces = OtlpTracer.layer({
      url: new URL("v1/traces", endpoint.value.href.replace(/\/?$/, "/")).href,
      resource: { serviceName },
    }).pipe(Layer.provide(OtlpSerialization.layerJson), Layer.provide(FetchHttpClient.layer))
    const names = Layer.succeed(
      HttpMiddleware.SpanNameGenerator,
      (request) => `${request.method} ${request.url.split("?")[0]}`,
    )
    return Layer.mergeAll(logs, traces, names)
  }),
)
