import type { Plain } from "./Plain.ts"

/** The header of a stored answer that holds everything but its body, as JSON: the cache must change none of it. */
const KEPT = "x-edge-kept"

/** As long as an answer may be given at all. Freshness is ours to decide, not the cache's. */
const STORED = "max-age=3600"

/** The address of a stored answer: in our zone, under a path that is no route. */
const addressOf = (host: string, key: string) => `${host}/.edge/${encodeURIComponent(key)}`

type Head = Omit<Plain, "body">

const isHead = (value: unknown): value is Head =>
  typeof value === "object" && value !== null && "askedAt" in value && "status" in value && "headers" in value

const read = (text: string | null | undefined): Head | undefined => {
  const value: unknown = JSON.parse(text ?? "null")
  return isHead(value) ? value : undefined
}

/** Answers kept for all isolates of one location. The cache is a help only: without it, every isolate asks for itself. */
export const makeStore = (cache: Cache, host: string) => ({
  find: async (key: string): Promise<Plain | undefined> => {
    try {
      const stored = await cache.match(addressOf(host, key))
      const head = read(stored?.headers.get(KEPT))
      return stored && head ? { ...head, body: await stored.arrayBuffer() } : undefined
    } catch (error) {
      console.warn("The cache could not be read", String(error))
      return undefined
    }
  },
  store: async (key: string, { body, ...kept }: Plain): Promise<void> => {
    try {
      const headers = { [KEPT]: JSON.stringify(kept), "cache-control": STORED }
      await cache.put(addressOf(host, key), new Response(body, { headers }))
    } catch (error) {
      console.warn("An answer could not be cached", String(error))
    }
  },
})
