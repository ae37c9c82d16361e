/**
 * An address as strangers may see it: `a…e@example.com`, with the first and the last letter of the part before the
 * `@`. A part of one or two letters shows only its first letter. A name without `@` is masked like such a part.
 */
export const maskEmail = (email: string): string => {
  const at = email.lastIndexOf("@")
  const local = Array.from(at === -1 ? email : email.slice(0, at))
  const domain = at === -1 ? "" : email.slice(at)
  return `${local[0] ?? ""}…${local.length > 2 ? (local.at(-1) ?? "") : ""}${domain}`
}
