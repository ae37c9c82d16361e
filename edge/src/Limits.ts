import type { NetworkLimit } from "./Routes.ts"

/**
 * The limits in wrangler.json, with their periods. They count per location, and are wider than the API's own, for offices
 * and mobile networks behind one address. `SCARCE` counts, per network, reads that clients can make up (pages after a
 * cursor, file names); `SCARCE_ALL` counts those of everybody, and `UNKNOWN_ALL` reads with a query that the table does
 * not know.
 */
export type Limit = NetworkLimit | "SCARCE" | "SCARCE_ALL" | "UNKNOWN_ALL"

export const PERIOD_SECONDS: Readonly<Record<Limit, 10 | 60>> = {
  READS: 10,
  WRITES: 10,
  LOGINS: 60,
  SOCKETS: 60,
  SCARCE: 10,
  SCARCE_ALL: 10,
  UNKNOWN_ALL: 10,
}

/** Whether a limit allows one more. A limiter that fails allows it: the API has limits of its own. */
export const allows = async (limit: RateLimit, key: string): Promise<boolean> => {
  try {
    return (await limit.limit({ key })).success
  } catch (error) {
    console.warn("A limit could not be read", String(error))
    return true
  }
}
