import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { IncomingMessage } from "node:http"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import type { Measure } from "./ListenerMeasure.ts"

/** What an answer may depend on: the headers of its request, names in lower case. */
export interface RoundRequest {
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
}

/**
 * One run for all requests that arrive while it runs. It gives the function that answers each of them, without waiting
 * and without a stream. `requests` are these requests; the list grows until the run ends.
 */
export type Round = (
  requests: ReadonlyArray<RoundRequest>,
) => Effect.Effect<(request: RoundRequest) => HttpServerResponse.HttpServerResponse>

type Handle = (request: IncomingMessage, response: ListenerAnswer) => void

/**
 * Answers requests in rounds, without a fiber for each. `fallback` answers the requests of a round that failed, and
 * reports why.
 */
export const makeRounds = ({
  round,
  measure,
  fallback,
  fork,
}: {
  readonly round: Round
  readonly measure: Measure
  readonly fallback: Handle
  readonly fork: (effect: Effect.Effect<void>) => void
}): Handle => {
  let requests: Array<IncomingMessage> = []
  let responses: Array<ListenerAnswer> = []
  const end = () => {
    const waiting = responses
    requests = []
    responses = []
    return waiting
  }
  /** Answers one request; true when its answer is over, false when it ends later and is counted then. */
  const settle = (
    response: ListenerAnswer,
    answer: (request: RoundRequest) => HttpServerResponse.HttpServerResponse,
  ) => {
    if (response.destroyed) return true
    try {
      send(response, answer(response.req))
    } catch {
      // Node refused a header, for example: the application makes the same mistake again and logs it.
      fallback(response.req, response)
      return false
    }
    if (response.writableLength === 0) return true
    measure.whenClosed(response)
    return false
  }
  const run = Effect.suspend(() =>
    Effect.matchCause(round(requests), {
      onSuccess: (answer) => measure.now(end().filter((response) => settle(response, answer))),
      onFailure: () => {
        for (const response of end()) fallback(response.req, response)
      },
    }),
  )
  return (request, response) => {
    requests.push(request)
    responses.push(response)
    if (responses.length === 1) fork(run)
  }
}

const send = (response: ListenerAnswer, { status, headers, body }: HttpServerResponse.HttpServerResponse) => {
  response.writeHead(status, headers)
  // `end` with text sends headers and body in one write.
  if (body._tag === "Uint8Array") response.end(body.text ?? body.body)
  else response.end()
}
