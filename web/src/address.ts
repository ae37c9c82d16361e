/**
 * Everything but characters that draw the same on every device and leave the others where they are: controls, unassigned
 * numbers, halves of pairs, ends of lines, spaces that are not the usual one, fillers.
 */
const HIDDEN = /(?! )[\p{C}\p{Z}\p{DI}]/gu

const reveal = (text: string): string =>
  text.replace(
    HIDDEN,
    (hidden) => `[U+${hidden.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`,
  )

/** An e-mail address to show. */
export interface Address {
  readonly local: string
  /** Without the `@`; undefined if the text is not an address. */
  readonly domain: string | undefined
}

/**
 * Divides an address, and names the characters in it that nobody would see: an address with U+202E would otherwise read
 * as another one. Show each part isolated, because letters of one part that run from right to left would also reorder
 * the other.
 */
export const addressOf = (email: string): Address => {
  const at = email.lastIndexOf("@")
  return at > 0
    ? { local: reveal(email.slice(0, at)), domain: reveal(email.slice(at + 1)) }
    : { local: reveal(email), domain: undefined }
}

/** An address for a place without elements: Unicode's own isolates take the place of `bdi`. The domain runs from left to right. */
export const addressText = (email: string): string => {
  const { local, domain } = addressOf(email)
  return `\u2068${local}\u2069${domain === undefined ? "" : `@\u2066${domain}\u2069`}`
}
