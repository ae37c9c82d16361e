import type { Fetcher } from "aws-jwt-verify/https"
import * as Effect from "effect/Effect"

/** How long one fetch may take in all: less than the three seconds that a caller of the API waits at most. */
const FETCH_LIMIT_MILLIS = 2_000

/** The largest key set that is read. Cognito's has two keys and 0.8 KiB. */
const KEY_SET_BYTES = 64 * 1024

/** The body of the answer. A body that is too large is abandoned on the way: its length need not be announced. */
const readBody = async (uri: string, signal: AbortSignal): Promise<ArrayBuffer> => {
  // Fetches are rare: the peer would close an idle connection before it is used again.
  const headers = { accept: "application/json", connection: "close" }
  const response = await fetch(uri, { signal, headers, redirect: "error" })
  const body = new Uint8Array(KEY_SET_BYTES)
  let bytes = 0
  const chunks: AsyncIterable<Uint8Array> | [] = response.body ?? []
  for await (const chunk of chunks) {
    if (bytes + chunk.byteLength > KEY_SET_BYTES) throw new Error("The answer is too large")
    body.set(chunk, bytes)
    bytes += chunk.byteLength
  }
  if (!response.ok) throw new Error(`The answer has status ${response.status}`)
  return body.buffer.slice(0, bytes)
}

/**
 * Fetches a key set by http or https: at most `KEY_SET_BYTES` within `FETCH_LIMIT_MILLIS`, without redirects, and not
 * beyond the scope. Ours, because the library's fetcher knows only https, reads a body of any size, and repeats a
 * fetch that failed, so that its time limit counts twice.
 */
export const makeKeyFetcher = Effect.gen(function* () {
  const closing = yield* Effect.acquireRelease(
    Effect.sync(() => new AbortController()),
    (controller) => Effect.sync(() => controller.abort()),
  )
  const fetcher: Fetcher = {
    fetch: (uri) => readBody(uri, AbortSignal.any([closing.signal, AbortSignal.timeout(FETCH_LIMIT_MILLIS)])),
  }
  return fetcher
})
