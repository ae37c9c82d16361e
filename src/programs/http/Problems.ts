import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ProblemDetails from "effect/http/ProblemDetails"
import type { Unavailable } from "../../domain/Errors.ts"
import { pathOf } from "../../services/Listener/ListenerGuards.ts"

/** Titles for the statuses of answers that Effect's HTTP modules make themselves. */
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

/**
 * A problem document with a status and its title, and nothing else. No cache may store it: without this header, a cache
 * may store a 404 or 405 for as long as it likes.
 */
export const bareProblem = (status: number, headers: Record<string, string> = {}) =>
  HttpServerResponse.setHeaders(
    ProblemDetails.toResponse({
      type: ProblemDetails.blankType,
      status,
      title: TITLES[status] ?? (status < 500 ? "Bad Request" : "Internal Server Error"),
    }),
    { "cache-control": "no-store", ...headers },
  )

/** An error as an answer, for routes outside the HTTP contract: the problem document, and `Retry-After`. */
export const problemResponse = (error: Unavailable): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(
    HttpServerRespondable.toResponse(error),
    HttpServerResponse.setHeader("retry-after", String(error.retryAfterSeconds)),
  )

/** Whether an error answer has a document of its own: those that Effect's HTTP modules make are empty or plain text. */
const hasDocument = (response: HttpServerResponse.HttpServerResponse) => {
  const contentType = response.headers["content-type"]
  return contentType?.startsWith(ProblemDetails.contentType) === true || contentType === "application/json"
}

/** The methods of each path: for the `Allow` header and the labels of the metrics. */
export type Paths = ReadonlyMap<string, ReadonlyArray<string>>

/** Makes an error without a document a problem document; 405 with `Allow` when only the method is wrong. */
const repair = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse,
  paths: Paths,
) => {
  if (response.status < 400 || hasDocument(response)) return response
  const allowed = response.status === 404 ? paths.get(pathOf(request.url)) : undefined
  return allowed === undefined || allowed.includes(request.method)
    ? bareProblem(response.status)
    : bareProblem(405, { allow: allowed.join(", ") })
}

/**
 * The outermost layer of an application. It adds the request id to every log line of a request, turns a defect into a 500
 * without details (the cause goes to the log), answers 405 with `Allow` when only the method is wrong, and makes every
 * error without a document a problem document.
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
