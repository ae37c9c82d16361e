import { MAX_BODY_BYTES } from "../../src/foundation/PublicHttp.ts"

/** The time for a whole body to arrive: the API's own limit. */
const BODY_MILLIS = 15_000

/** Reads a whole body, so that a slow sender occupies no connection of the origin. A number = the status to refuse it with. */
export const readBody = async (request: Request): Promise<ArrayBuffer | 408 | 413 | null> => {
  if (request.body === null) return null
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return 413
  const reader: ReadableStreamDefaultReader<unknown> = request.body.getReader()
  const chunks: Array<Uint8Array> = []
  let size = 0
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    // A body that has failed rejects this as well as the read below, which is the one that is waited for.
    reader.cancel().catch(() => {})
  }, BODY_MILLIS)
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const { value: chunk } = next
      if (!(chunk instanceof Uint8Array)) continue
      size += chunk.byteLength
      if (size > MAX_BODY_BYTES) {
        await reader.cancel()
        return 413
      }
      chunks.push(chunk)
    }
  } finally {
    clearTimeout(timer)
  }
  return isLate ? 408 : new Blob(chunks).arrayBuffer()
}
