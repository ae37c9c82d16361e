import type { IncomingMessage } from "node:http"
import { isIP } from "node:net"
import { networkOf } from "../../foundation/ClientNetwork.ts"

/** Reads who sent a request. */
export interface ClientReader {
  /** What limits count by: an IPv4 address, or the /64 network of an IPv6 address, which belongs to one subscriber. */
  readonly addressOf: (request: IncomingMessage) => string
  /** Whether a trusted proxy says that the client's own connection is TLS. */
  readonly isSecure: (request: IncomingMessage) => boolean
}

const FORWARDED_FOR = "x-forwarded-for"
const FORWARDING = [FORWARDED_FOR, "forwarded", "x-real-ip", "x-forwarded-proto"]

/** Whether some proxy says that it forwards the request for somebody else. Anybody may say so. */
export const isForwarded = (headers: Readonly<Record<string, unknown>>): boolean =>
  FORWARDING.some((name) => headers[name] !== undefined)

/** The value of a header that may occur several times: all its lines, in order. */
const textOf = (header: string | ReadonlyArray<string> | undefined): string =>
  header === undefined ? "" : typeof header === "string" ? header : header.join(",")

/** Some proxies add a port, with brackets around an IPv6 address. */
const withoutPort = (entry: string): string =>
  /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(entry)?.[1] ?? entry

/** Ignores every forwarding header, and calls `onUnexpected` once, at the first one. */
const makeDirectReader = (onUnexpected: () => void): ClientReader => {
  let warned = false
  return {
    addressOf: (request) => {
      if (!warned && isForwarded(request.headers)) {
        warned = true
        onUnexpected()
      }
      return networkOf(request.socket.remoteAddress ?? "")
    },
    isSecure: () => false,
  }
}

/**
 * Reads the client of a request behind `hops` proxies of our own. Each proxy appends the address it sees to
 * `X-Forwarded-For`, so one of ours wrote the entry at position `hops` from the right; anybody may have written the
 * entries left of it. With 0 every forwarding header is ignored, and `onUnexpected` is called once: when the address of
 * a request with such a header is read for the first time.
 */
export const makeClientReader = (hops: number, onUnexpected: () => void): ClientReader => {
  if (hops === 0) return makeDirectReader(onUnexpected)
  return {
    addressOf: (request) => {
      const entries = textOf(request.headers[FORWARDED_FOR])
        .split(",")
        .map((entry) => withoutPort(entry.trim()))
      const claimed = entries.at(-hops) ?? entries[0] ?? ""
      return networkOf(isIP(claimed) === 0 ? (request.socket.remoteAddress ?? "") : claimed)
    },
    isSecure: (request) => {
      const protocols = textOf(request.headers["x-forwarded-proto"]).split(",")
      const protocol = protocols.at(-hops) ?? protocols[0]
      return protocol?.trim().toLowerCase() === "https"
    },
  }
}

/** The header in which the listener passes the client's address to the application. A value from a client is overwritten. */
export const CLIENT_ADDRESS = "x-scoreboard-client"
