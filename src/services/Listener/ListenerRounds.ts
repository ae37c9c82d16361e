import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { IncomingMessage } from "node:http"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import type { Measure } from "./ListenerMeasure.ts"

/** What an answer may depend on: the headers of its request, names in lower case. */
export interface Asked {
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
}

/**
 * One run for all requests that arrive while it runs: what it gives answers each of them, at once and without a stream.
 * `asked` are these requests; it grows until the run ends.
 */
export type Round = (
  asked: ReadonlyArray<Asked>,
) => Effect.Effect<(asked: Asked) => HttpServerResponse.HttpServerResponse>

type Handle = (request: IncomingMessage, response: ListenerAnswer) => void

/** Answers requests in rounds, without a fiber for each. What a broken round leaves is for `leave` to explain. */
export const makeRounds = ({
  round,
  measure,
  leave,
  fork,
}: {
  readonly round: Round
  readonly measure: Measure
  readonly leave: Handle
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
  /** Answers one; true when it is over, false when somebody else sees to its end. */
  const settle = (
    response: ListenerAnswer,
    answer: (asked: Asked) => HttpServerResponse.HttpServerResponse,
  ) => {
    if (response.destroyed) return true
    try {
      send(response, answer(response.req))
    } catch {
      // Such as a header that Node refuses: the application meets it again, and logs it.
      leave(response.req, response)
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
        for (const response of end()) leave(response.req, response)
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
  // Text leaves in one write with the headers.
  if (body._tag === "Uint8Array") response.end(body.text ?? body.body)
  else response.end()
}
