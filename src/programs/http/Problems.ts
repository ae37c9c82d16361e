import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ProblemDetails from "effect/http/ProblemDetails"
import type { Unavailable } from "../../domain/Errors.ts"
import { pathOf } from "../../services/Listener/ListenerGuards.ts"

/** Titles of the statuses that the HTTP machinery itself answers with. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
  500: "Internal Server Error",
  503: "Service Unavailable",
}

/** A problem document that says no more than its status. */
export const bareProblem = (status: number, headers: Record<string, string> = {}) =>
  HttpServerResponse.setHeaders(
    ProblemDetails.toResponse({
      type: ProblemDetails.blankType,
      status,
      title: TITLES[status] ?? (status < 500 ? "Bad Request" : "Internal Server Error"),
    }),
    headers,
  )

/** The answer to an error outside the contract's machinery: its problem document, and its `Retry-After`. */
export const problemResponse = (error: Unavailable): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(
    HttpServerRespondable.toResponse(error),
    HttpServerResponse.setHeader("retry-after", String(error.retryAfterSeconds)),
  )

/** Whether an error says something of its own: the HTTP machinery's bare answers are empty or plain text. */
const hasMeaning = (response: HttpServerResponse.HttpServerResponse) => {
  const contentType = response.headers["content-type"]
  return contentType?.startsWith(ProblemDetails.contentType) === true || contentType === "application/json"
}

/** Which methods each path has: for `Allow` and for the labels of the metrics. */
export type Paths = ReadonlyMap<string, ReadonlyArray<string>>

const repair = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse,
  paths: Paths,
) => {
  if (response.status < 400 || hasMeaning(response)) return response
  const allowed = response.status === 404 ? paths.get(pathOf(request.url)) : undefined
  return allowed === undefined || allowed.includes(request.method)
    ? bareProblem(response.status)
    : bareProblem(405, { allow: allowed.join(", ") })
}

/**
 * The outermost layer of an application: names the request in every log line of its handling, turns a defect
 * into a 500 that says nothing (its cause goes to the log), answers 405 with `Allow` where only the method is
 * wrong, and makes every bare error a problem document.
 */
export const withProblems = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  paths: Paths,
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    app.pipe(
      Effect.catchCause((cause) =>
        Effect.flatMap(HttpServerError.causeResponse(cause), ([response, rest]) =>
          response.status >= 500
            ? Effect.as(Effect.logError("A request failed", rest), response)
            : Effect.succeed(response),
        ),
      ),
      Effect.map((response) => repair(request, response, paths)),
      Effect.annotateLogs("requestId", request.headers["x-request-id"]),
    ),
  )
