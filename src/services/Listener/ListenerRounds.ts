import * as Effect from "effect/Effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { IncomingMessage, ServerResponse } from "node:http"

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

type Handle = (request: IncomingMessage, response: ServerResponse) => void

/** Answers requests in rounds, without a fiber for each. What a broken round leaves is for `handle` to explain. */
export const makeRounds = (
  round: Round,
  handle: Handle,
  fork: (effect: Effect.Effect<void>) => void,
): Handle => {
  let requests: Array<IncomingMessage> = []
  let responses: Array<ServerResponse> = []
  const settle = (answer: (response: ServerResponse) => void) => {
    const waiting = responses
    requests = []
    responses = []
    waiting.forEach(answer)
  }
  const leave = (response: ServerResponse) => handle(response.req, response)
  const run = Effect.suspend(() =>
    Effect.matchCause(round(requests), {
      onSuccess: (answer) =>
        settle((response) => {
          try {
            send(response, answer(response.req))
          } catch {
            // Such as a header that Node refuses: the application meets it again, and logs it.
            leave(response)
          }
        }),
      onFailure: () => settle(leave),
    }),
  )
  return (request, response) => {
    requests.push(request)
    responses.push(response)
    if (responses.length === 1) fork(run)
  }
}

const send = (response: ServerResponse, { status, headers, body }: HttpServerResponse.HttpServerResponse) => {
  if (response.destroyed) return
  response.writeHead(status, headers)
  // Text leaves in one write with the headers.
  if (body._tag === "Uint8Array") response.end(body.text ?? body.body)
  else response.end()
}
