import * as Schema from "effect/Schema"
import { PublicBoard } from "../../src/domain/Messages.ts"
import { BOARD_SIZE } from "../../src/domain/Score.ts"

/** The first score on a board: 7 digits. */
export const topScore = (version: number): number => 1_000_000 + (version + 1) * BOARD_SIZE

/** Each board differs, all have one length: 10 addresses and 7 digits each. */
const scores = (version: number) =>
  Array.from({ length: BOARD_SIZE }, (_, n) => ({
    email: `player${n}@example.com`,
    score: topScore(version) - n,
  }))

/** What another tool publishes, about 500 bytes: without a stamp, because PostgreSQL has no board of these. */
export const publishedBoard = (version: number): string =>
  JSON.stringify({ scores: scores(version), committedAt: Date.now() })

/** What a viewer may see of it; an empty board when there is none. */
export const publicBoard = (json: string | null): PublicBoard =>
  json === null ? { scores: [] } : Schema.decodeUnknownSync(Schema.fromJsonString(PublicBoard))(json)
