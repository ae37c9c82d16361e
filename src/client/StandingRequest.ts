import type { Environment } from "./Environment.ts"
import { type Expired, type Failure, failureOf } from "./Failure.ts"
import { isCount, type JsonRecord, parseRecord } from "./Json.ts"
import { request } from "./Request.ts"
import { readStamp, type Stamp } from "./Stamp.ts"

/** The rank of a player among all players. */
export interface Rank {
  /** 1 is the best. Players with equal scores share a rank. */
  readonly rank: number
  /** The number of all ranked players, not only of the ten on the board. */
  readonly players: number
  /** The x in "top x %": greater than 0, at most 100, not rounded. */
  readonly percentile: number
}

/** The row of the player on the top ten. It is certain only for the board with this stamp. */
export interface BoardPlace {
  /** 1 to 10; undefined if the player is not on the board. */
  readonly place: number | undefined
  readonly stamp: Stamp
}

export interface Standing {
  readonly score: number
  /** Undefined for a player without a score, for a hidden player, and if the server sends no ranks. */
  readonly rank: Rank | undefined
  /** Undefined if the server does not send it. */
  readonly place: BoardPlace | undefined
}

export type StandingOutcome = { readonly kind: "read"; readonly standing: Standing } | Expired | Failure

const parseRank = ({ rank, players, percentile }: JsonRecord): Rank | undefined =>
  isCount(rank) && isCount(players) && typeof percentile === "number" && Number.isFinite(percentile)
    ? { rank, players, percentile }
    : undefined

const parsePlace = (body: JsonRecord): BoardPlace | undefined => {
  const stamp = readStamp(body)
  const place = body["place"]
  if (stamp === undefined) return undefined
  if (place === null) return { place: undefined, stamp }
  return isCount(place) && place > 0 ? { place, stamp } : undefined
}

const parseStanding = (text: string): Standing | undefined => {
  const body = parseRecord(text)
  return body && isCount(body["score"])
    ? { score: body["score"], rank: parseRank(body), place: parsePlace(body) }
    : undefined
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
 * `GET /scores/me`, once. If the server answers 404 because it lacks that route, reads the score alone from
 * `GET /users/me/history?limit=1`.
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
