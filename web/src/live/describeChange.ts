import type { Scores } from "../../../src/domain/Score.ts"
import { addressText } from "../address.ts"
import { formatCount } from "../format.ts"

const placeOf = (scores: Scores, email: string): number => scores.findIndex((score) => score.email === email)

/** The viewer's own row; `at` and `scoreBefore` are undefined while it is unknown. */
export interface OwnRow {
  /** Counted from 0; -1 if the viewer is not on the board. */
  readonly at: number | undefined
  /** When it was last known; null if the viewer was not on the board. */
  readonly scoreBefore: number | null | undefined
}

/**
 * Describes the change from one board to the next in one or two short sentences: a new leader, the viewer's own score
 * and rank, or else the player who moved up furthest. Undefined if there is none of these.
 */
export const describeChange = (
  before: Scores,
  after: Scores,
  { at, scoreBefore }: OwnRow,
): string | undefined => {
  const sentences: string[] = []
  const leader = after[0]
  if (leader && leader.email !== before[0]?.email) {
    sentences.push(`${addressText(leader.email)} leads with a score of ${formatCount(leader.score)}.`)
  }

  const own = at === undefined ? undefined : after[at]
  if (at !== undefined && own && own !== leader && scoreBefore !== undefined && own.score !== scoreBefore) {
    sentences.push(`Your score is ${formatCount(own.score)}, rank ${at + 1}.`)
  }
  if (at === -1 && typeof scoreBefore === "number") sentences.push("You dropped out of the top 10.")
  if (sentences.length > 0) return sentences.join(" ")

  const climbers = after.map(({ email }, place) => {
    const placeBefore = placeOf(before, email)
    return { email, place, climbed: (placeBefore === -1 ? before.length : placeBefore) - place }
  })
  const best = climbers.reduce<(typeof climbers)[number] | undefined>(
    (furthest, next) => (next.climbed > (furthest?.climbed ?? 0) ? next : furthest),
    undefined,
  )
  return best && `${addressText(best.email)} moves up to rank ${best.place + 1}.`
}
