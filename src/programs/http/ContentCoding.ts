/** The codings of the page's files, best first. Their names are those of HTTP and of the folders in the build. */
export const CODINGS = ["br", "gzip"] as const
export type Coding = (typeof CODINGS)[number]

/** A member of an `Accept-Encoding` in lower case: RFC 9110, 12.4.2 and 12.5.3. The default weight is 1. */
const MEMBER = /^([^\s;]+)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/

/**
 * The coding that an `Accept-Encoding` prefers; among equal weights, the first of `CODINGS`. `undefined` = send the file
 * uncompressed: there is no such header, it accepts none of our codings, or it prefers `identity`. Malformed members are
 * ignored.
 */
export const preferredCoding = (acceptEncoding: string | undefined): Coding | undefined => {
  if (acceptEncoding === undefined) return undefined
  const weights = new Map<string, number>()
  for (const member of acceptEncoding.toLowerCase().split(",")) {
    const [, coding, weight = "1"] = MEMBER.exec(member.trim()) ?? []
    if (coding !== undefined) weights.set(coding, Number(weight))
  }
  const weightOf = (coding: Coding) => weights.get(coding) ?? weights.get("*") ?? 0
  const best = CODINGS.reduce((first, next) => (weightOf(next) > weightOf(first) ? next : first))
  const weight = weightOf(best)
  return weight > 0 && weight >= (weights.get("identity") ?? 0) ? best : undefined
}
