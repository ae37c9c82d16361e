/**
 * An address as strangers may see it: the first and the last letter of its local part, `a…e@example.com`; of one or
 * two letters only the first. A name without `@` is masked as if it were a local part.
 */
export const maskEmail = (email: string): string => {
  const at = email.lastIndexOf("@")
  const local = Array.from(at === -1 ? email : email.slice(0, at))
  const domain = at === -1 ? "" : email.slice(at)
  return `${local[0] ?? ""}…${local.length > 2 ? (local.at(-1) ?? "") : ""}${domain}`
}
