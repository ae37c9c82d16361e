import type { IncomingMessage } from "node:http"
import { isIP } from "node:net"

/** Tells who is on the other end of a connection. */
export interface ClientReader {
  /** What limits are counted by: an IPv4 address, or the /64 network of an IPv6 one, which one subscriber has whole. */
  readonly addressOf: (request: IncomingMessage) => string
  /** Whether the client's own connection was TLS, as a trusted proxy says. */
  readonly isSecure: (request: IncomingMessage) => boolean
}

const FORWARDED_FOR = "x-forwarded-for"
const FORWARDING = [FORWARDED_FOR, "forwarded", "x-real-ip", "x-forwarded-proto"]

/** The one text of a header that may come several times, in the order of its lines. */
const textOf = (header: string | ReadonlyArray<string> | undefined): string =>
  header === undefined ? "" : typeof header === "string" ? header : header.join(",")

/** Some proxies add a port, and brackets then. */
const withoutPort = (entry: string): string =>
  /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(entry)?.[1] ?? entry

/** IPv6 groups without their leading zeros, so that one network has one spelling. */
const networkOf = (address: string): string => {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(":")) return address
  const [left = "", right] = address.toLowerCase().replace(/%.*$/, "").split("::")
  const groups = left === "" ? [] : left.split(":")
  const rest = right === undefined || right === "" ? [] : right.split(":")
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => "0")
  const first = [...groups, ...zeros, ...rest].slice(0, 4)
  return `${first.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`
}

/** No header is believed; `onUnexpected` hears once of the first that came. */
const makeDirectReader = (onUnexpected: () => void): ClientReader => {
  let warned = false
  return {
    addressOf: (request) => {
      if (!warned && FORWARDING.some((name) => request.headers[name] !== undefined)) {
        warned = true
        onUnexpected()
      }
      return networkOf(request.socket.remoteAddress ?? "")
    },
    isSecure: () => false,
  }
}

/**
 * Reads the client of a request behind `hops` proxies of our own, each of which appends the address it sees to
 * `X-Forwarded-For`: the entry that many places from the right was written by one of them, everything left of it by
 * anybody. With 0 no header is believed, and `onUnexpected` hears once of the first that came with a request whose
 * address was asked for.
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

/** Where the listener leaves the client's address for whoever handles the request; what a client sends under it is lost. */
export const CLIENT_ADDRESS = "x-scoreboard-client"
