import type { Environment } from "./Environment.ts"
import { type Expired, type Failure, failureOf } from "./Failure.ts"
import { isCount, type JsonRecord, parseRecord } from "./Json.ts"
import { request } from "./Request.ts"

/** Where a player stands among all. */
export interface Rank {
  /** 1 is the best; players of equal score share it. */
  readonly rank: number
  /** How many players there are on the board, far beyond its ten places. */
  readonly players: number
  /** The x of "top x %": over 0, at most 100, not rounded. */
  readonly percentile: number
}

export interface Standing {
  readonly score: number
  /** Undefined without a score, for a hidden player, and where the server does not tell. */
  readonly rank: Rank | undefined
}

export type StandingOutcome = { readonly kind: "read"; readonly standing: Standing } | Expired | Failure

const parseRank = ({ rank, players, percentile }: JsonRecord): Rank | undefined =>
  isCount(rank) && isCount(players) && typeof percentile === "number" && Number.isFinite(percentile)
    ? { rank, players, percentile }
    : undefined

const parseStanding = (text: string): Standing | undefined => {
  const body = parseRecord(text)
  return body && isCount(body["score"]) ? { score: body["score"], rank: parseRank(body) } : undefined
}

const read = async (
  environment: Environment,
  url: string,
  accessToken: string,
  signal: AbortSignal,
): Promise<StandingOutcome> => {
  const headers = { Authorization: `Bearer ${accessToken}` }
  const answer = await request(environment, url, { headers, cache: "no-store", signal }, async (response) =>
    response.status === 200 ? parseStanding(await response.text()) : undefined,
  )
  if (answer?.body) return { kind: "read", standing: answer.body }
  return answer?.status === 401 ? { kind: "expired" } : failureOf(answer)
}

/**
 * `GET /scores/me`, once. A server without that route still tells the score, in
 * `GET /users/me/history?limit=1`, which is asked instead.
 */
export const readStanding = async (
  environment: Environment,
  url: string,
  accessToken: string,
  signal: AbortSignal,
): Promise<StandingOutcome> => {
  const outcome = await read(environment, new URL("/scores/me", url).href, accessToken, signal)
  if (outcome.kind !== "refused" || outcome.status !== 404) return outcome
  return read(environment, new URL("/users/me/history?limit=1", url).href, accessToken, signal)
}
