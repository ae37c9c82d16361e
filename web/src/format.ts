const numbers = new Intl.NumberFormat()
const ages = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" })
const waits = new Intl.NumberFormat(undefined, { style: "unit", unit: "second", unitDisplay: "short" })

/** A count in the reader's locale: 1,234 or 1.234. */
export const formatCount = (count: number): string => numbers.format(count)

const roundNumbers = new Intl.NumberFormat(undefined, {
  notation: "compact",
  compactDisplay: "long",
  maximumSignificantDigits: 3,
})
const shares = new Intl.NumberFormat(undefined, {
  style: "percent",
  maximumSignificantDigits: 2,
  roundingMode: "ceil",
})
const ordinals = new Intl.PluralRules("en", { type: "ordinal" })
const SUFFIXES: Partial<Record<Intl.LDMLPluralRule, string>> = { one: "st", two: "nd", few: "rd" }

/** A rank in English, with the digits of the reader's locale: 1st, 4,213th. */
export const formatOrdinal = (rank: number): string =>
  `${formatCount(rank)}${SUFFIXES[ordinals.select(rank)] ?? "th"}`

/** From this number on, three digits and a word are easier to read. */
const LARGE = 100_000

/** A number of players: 84,213 or 1.2 million. */
export const formatCrowd = (count: number): string => (count < LARGE ? numbers : roundNumbers).format(count)

/** A percentage with at most two significant digits, rounded up, so that it is never better than the truth. */
export const formatPercentile = (percentile: number): string => shares.format(percentile / 100)

/** A wait in seconds, in the reader's locale: "12 sec". */
export const formatWait = (wait: number): string => waits.format(wait)

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const

/** How long ago, in the reader's language: "now", "12 sec. ago", "3 min. ago". */
export const formatAge = (ageMs: number): string => {
  const age = Math.max(0, Math.floor(ageMs / 1_000))
  const [unit, size] = UNITS.find(([, seconds]) => age >= seconds) ?? (["second", 1] as const)
  return ages.format(-Math.floor(age / size), unit)
}
