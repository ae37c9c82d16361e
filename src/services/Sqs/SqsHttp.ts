import { type Dispatcher, Pool } from "@effect/platform-node/Undici"
import * as Effect from "effect/Effect"

/** A connection in one region takes milliseconds; a second address deserves a try within a call's limit. */
const CONNECT_MILLIS = 1_000

/** Connections per process: every poller holds one for its whole wait, sends and deletes need theirs beside. */
const CONNECTIONS = 64

/** An idle connection is kept this long: as long as SQS lets a quiet poll wait. */
const KEEP_ALIVE_MILLIS = 20_000

/** Ten messages of 1 MiB, the most that SQS gives at once, with every character escaped. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

export interface Answer {
  readonly status: number
  /** By which AWS finds the call in its logs; "-" when it gave none. */
  readonly requestId: string
  readonly body: string
}

export interface Http {
  /**
   * Posts to the path of the endpoint. Fails when there is no whole answer: refused, cut off, closed. Interruption
   * closes the connection. There is no time limit but that of connecting.
   */
  post(headers: Readonly<Record<string, string>>, body: string): Effect.Effect<Answer, Error>
}

/** Kept-alive connections to one endpoint, closed with the scope. */
export const makeHttp = Effect.fnUntraced(function* (endpoint: URL) {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Pool(endpoint.origin, {
          connections: CONNECTIONS,
          connect: { timeout: CONNECT_MILLIS },
          keepAliveTimeout: KEEP_ALIVE_MILLIS,
          maxResponseSize: MAX_ANSWER_BYTES,
          // The caller's limit sees the whole call.
          headersTimeout: 0,
          bodyTimeout: 0,
        }),
    ),
    (opened) => Effect.promise(() => opened.destroy()),
  )
  const http: Http = {
    post: (headers, body) =>
      Effect.callback<Answer, Error>((resume) => {
        let controller: Dispatcher.DispatchController | undefined
        let interrupted = false
        let status = 0
        let requestId = "-"
        const chunks: Array<Buffer> = []
        pool.dispatch(
          { method: "POST", path: endpoint.pathname, headers, body },
          {
            onRequestStart: (started) => {
              controller = started
              if (interrupted) started.abort(new Error("The call was interrupted"))
            },
            onResponseStart: (_, statusCode, answered) => {
              status = statusCode
              requestId = String(answered["x-amzn-requestid"] ?? requestId)
            },
            onResponseData: (_, chunk) => void chunks.push(chunk),
            onResponseEnd: () =>
              resume(Effect.succeed({ status, requestId, body: Buffer.concat(chunks).toString() })),
            onResponseError: (_, error) => resume(Effect.fail(error)),
          },
        )
        return Effect.sync(() => {
          interrupted = true
          controller?.abort(new Error("The call was interrupted"))
        })
      }),
  }
  return http
})
