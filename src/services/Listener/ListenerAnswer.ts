import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from "node:http"
import { REQUEST_ID } from "./ListenerGuards.ts"
import type { HeaderList } from "./ListenerHeaders.ts"

const NONE: HeaderList = []

/** An answer of the listener: knows when its request came, and brings headers of its own. */
export class ListenerAnswer<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** When the headers of the request were there, in monotonic nanoseconds. */
  arrivedAt = 0n

  /** Comes first on this answer. */
  requestId = ""

  /** On this answer unless it is given another of the same name; names in lower case. */
  standing = NONE

  /** Node is quickest with all headers at once, as one list; the reason phrase is always the usual one. */
  override writeHead(status: number, reasonOrHeaders?: unknown, headers?: unknown): this {
    const own = isHeaders(reasonOrHeaders) ? reasonOrHeaders : isHeaders(headers) ? headers : {}
    const list: Array<OutgoingHttpHeader> = [REQUEST_ID, this.requestId]
    for (const { name, value } of this.standing) if (own[name] === undefined) list.push(name, value)
    for (const name in own) {
      const value = own[name]
      if (value !== undefined) list.push(name, value)
    }
    return super.writeHead(status, list)
  }
}

const isHeaders = (given: unknown): given is OutgoingHttpHeaders =>
  typeof given === "object" && given !== null
