import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import { isEmailAddress } from "../../domain/EmailAddress.ts"
import { isIdentifier } from "../../domain/Identifier.ts"
import { HIGHEST_SET_SCORE, UserId } from "../../domain/Score.ts"
import type { ImportRecord } from "../../services/ImportFile/ImportFile.ts"
import type { ImportedScore } from "../../services/Sql/SqlImport.ts"

/** A line that can be imported. */
export interface ImportLine {
  readonly line: number
  readonly score: ImportedScore
  /** What is wrong with the address; it matters only if the player is unknown. */
  readonly addressProblem: string | undefined
}

/** A line that is left out, and why: for the operator, without a value of the line. */
export interface LeftOutLine {
  readonly line: number
  readonly problem: string
}

/** An integer has one spelling, so neither 1e3 nor 007 nor +5 is one. */
const INTEGER = /^(?:0|[1-9][0-9]{0,15})$/

/** ISO 8601 with a zone; also with a space in place of the T, as PostgreSQL writes it. */
const INSTANT =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ?(Z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)$/i

const DAY_MICROS = 86_400_000_000

/** Microseconds since 1970; undefined if the text is no moment between 1970 and tomorrow. */
const microsOf = (text: string, nowMillis: number): number | undefined => {
  const [, date = "", time = "", fraction = "", zone = ""] = INSTANT.exec(text) ?? []
  const written = `${date}T${time}.000Z`
  const utc = Option.getOrUndefined(DateTime.make(written))
  // A day that does not exist is taken for another one.
  if (utc === undefined || DateTime.formatIso(utc) !== written) return undefined
  const [, sign = "+", hours = "0", minutes = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const offsetMinutes = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  const micros =
    (DateTime.toEpochMillis(utc) - offsetMinutes * 60_000) * 1000 +
    Number(fraction.slice(0, 6).padEnd(6, "0"))
  return micros >= 0 && micros <= nowMillis * 1000 + DAY_MICROS ? micros : undefined
}

/** What a record says, or why it is left out. `nowMillis`: since 1970. */
export const readImportLine = (record: ImportRecord, nowMillis: number): ImportLine | LeftOutLine => {
  const { line } = record
  if (record.problem !== undefined) return { line, problem: record.problem }
  const { id, email, score, reachedAt } = record.values
  if (id === undefined) return { line, problem: "the id is missing" }
  if (!isIdentifier(id)) {
    return { line, problem: "the id is longer than 255 characters, or one of them is a control character" }
  }
  if (score === undefined) return { line, problem: "the score is missing" }
  if (!INTEGER.test(score) || Number(score) > HIGHEST_SET_SCORE) {
    return { line, problem: `the score is not an integer from 0 to ${HIGHEST_SET_SCORE}` }
  }
  const reachedAtMicros = reachedAt === undefined ? undefined : microsOf(reachedAt, nowMillis)
  if (reachedAt !== undefined && reachedAtMicros === undefined) {
    return { line, problem: "reachedAt is not a moment like 2026-01-31T12:00:00Z, from 1970 until now" }
  }
  const address = email !== undefined && isEmailAddress(email) ? email : undefined
  return {
    line,
    score: { userId: UserId.make(id), score: Number(score), email: address, reachedAtMicros },
    addressProblem:
      address !== undefined
        ? undefined
        : email === undefined
          ? "the player is unknown, and the e-mail is missing"
          : "the player is unknown, and the e-mail is not an address",
  }
}
