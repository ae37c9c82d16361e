/** The codings that the page's files are kept in, best first; named as in HTTP, and so are their folders. */
export const CODINGS = ["br", "gzip"] as const
export type Coding = (typeof CODINGS)[number]

/** A member of an `Accept-Encoding` in lower case: RFC 9110, 12.4.2 and 12.5.3. Without a weight it is 1. */
const MEMBER = /^([^\s;]+)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/

/**
 * The coding that an `Accept-Encoding` likes best; among equals it is ours that decides. `undefined`, the file as it
 * is: nothing was asked for, nothing of ours is accepted, or `identity` is liked better. A member that makes no
 * sense is passed over.
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
