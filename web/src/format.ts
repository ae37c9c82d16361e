const numbers = new Intl.NumberFormat()
const ages = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" })
const waits = new Intl.NumberFormat(undefined, { style: "unit", unit: "second", unitDisplay: "short" })

/** A count in the reader's own notation: 1,234 or 1.234. */
export const formatCount = (count: number): string => numbers.format(count)

/** A wait in the reader's own notation: "12 sec". */
export const formatWait = (wait: number): string => waits.format(wait)

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const

/** How long ago in the reader's own words: "now", "12 sec. ago", "3 min. ago". */
export const formatAge = (ageMs: number): string => {
  const age = Math.max(0, Math.floor(ageMs / 1_000))
  const [unit, size] = UNITS.find(([, seconds]) => age >= seconds) ?? (["second", 1] as const)
  return ages.format(-Math.floor(age / size), unit)
}
