/**
 * What a proxy that compresses does to an entity tag: nginx makes it weak; Apache, Caddy and Jetty add the coding, with
 * `-`, `--` or `;`, and some of them outside the quotes.
 */
const CHANGED =
  /^(?:W\/)?("[^"]*?)(?:(?:--?|;)(?:br|deflate|gzip|zstd))?("?)(?:(?:--?|;)(?:br|deflate|gzip|zstd))?$/

/** An entity tag as the server sent it, whatever a proxy on the way did to it. Imports nothing: the page loads it. */
export const originalTag = (tag: string): string => tag.replace(CHANGED, "$1$2")
