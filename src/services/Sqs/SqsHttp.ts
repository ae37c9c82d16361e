import { type Dispatcher, Pool } from "@effect/platform-node/Undici"
import * as Effect from "effect/Effect"
import { AsyncLocalStorage } from "node:async_hooks"

/** A connection in one region takes milliseconds; a second attempt must fit into a call's time limit. */
const CONNECT_MILLIS = 1_000

/** Connections per process: every poller occupies one while it waits, sends and deletes need theirs beside. */
const CONNECTIONS = 64

/** An idle connection stays open this long: as long as SQS lets a quiet poll wait. */
const KEEP_ALIVE_MILLIS = 20_000

/** Ten messages of 1 MiB, the most that SQS gives at once, with every character escaped. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/**
 * The signal of the call that is being made. Given to the SDK as an option of the call it would switch off
 * `cacheMiddleware`, so it goes to the request handler beside the SDK.
 */
export const abortSignals = new AsyncLocalStorage<AbortSignal>()

/** The parts that are used of a request that the SDK has built and signed. */
interface SignedRequest {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string
}

/** A whole answer, its body read to the end. */
interface Answer {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

const post = (pool: Pool, request: SignedRequest, signal: AbortSignal | undefined) => {
  signal?.throwIfAborted()
  const answered = Promise.withResolvers<{ readonly response: Answer }>()
  const { path, headers, body } = request
  let controller: Dispatcher.DispatchController | undefined
  const abort = () => {
    const aborted = new DOMException("The call was aborted", "AbortError")
    answered.reject(aborted)
    controller?.abort(aborted)
  }
  let statusCode = 0
  let answerHeaders: Record<string, string> = {}
  const chunks: Array<Buffer> = []
  pool.dispatch(
    { method: "POST", path, headers, body },
    {
      onRequestStart: (started) => {
        controller = started
        if (signal?.aborted === true) abort()
      },
      onResponseStart: (_, status, received) => {
        statusCode = status
        answerHeaders = Object.fromEntries(
          Object.entries(received).map(([name, value]) => [name, String(value)]),
        )
      },
      onResponseData: (_, chunk) => void chunks.push(chunk),
      onResponseEnd: () => {
        signal?.removeEventListener("abort", abort)
        answered.resolve({ response: { statusCode, headers: answerHeaders, body: Buffer.concat(chunks) } })
      },
      onResponseError: (_, error) => {
        signal?.removeEventListener("abort", abort)
        answered.reject(Object.assign(error, { $retryable: {} }))
      },
    },
  )
  signal?.addEventListener("abort", abort, { once: true })
  return answered.promise
}

/**
 * Kept-alive connections to one endpoint, closed with the scope, in the form of the SDK's option `requestHandler`.
 * `handle` posts to the endpoint, whatever host the request names. It rejects when no whole answer came: refused, cut
 * off, closed; `$retryable` tells the SDK that it may try again. The signal of `abortSignals` rejects it at once and closes
 * the connection. The only time limit is that of connecting.
 */
export const makeHttp = Effect.fnUntraced(function* (endpoint: URL) {
  const pool = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Pool(endpoint.origin, {
          connections: CONNECTIONS,
          connect: { timeout: CONNECT_MILLIS },
          keepAliveTimeout: KEEP_ALIVE_MILLIS,
          maxResponseSize: MAX_ANSWER_BYTES,
          // The caller's limit covers the whole call.
          headersTimeout: 0,
          bodyTimeout: 0,
        }),
    ),
    (opened) => Effect.promise(() => opened.destroy()),
  )
  return {
    handle: async (request: SignedRequest) => post(pool, request, abortSignals.getStore()),
  }
})
