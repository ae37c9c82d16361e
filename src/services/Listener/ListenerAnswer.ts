import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from "node:http"
import { REQUEST_ID } from "./ListenerGuards.ts"
import type { HeaderList } from "./ListenerHeaders.ts"

const NONE: HeaderList = []

/** An answer of the listener. It stores when its request arrived, and adds the request id and the common headers. */
export class ListenerAnswer<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** When the headers of the request had arrived, in monotonic nanoseconds. */
  arrivedAt = 0n

  /** The value of the first header of this answer. */
  requestId = ""

  /** Added unless the answer has a header of the same name; names in lower case. */
  common = NONE

  /** Node is fastest when it gets all headers at once, as one list. The reason phrase is always the default one. */
  override writeHead(status: number, reasonOrHeaders?: unknown, headers?: unknown): this {
    const own = isHeaders(reasonOrHeaders) ? reasonOrHeaders : isHeaders(headers) ? headers : {}
    const list: Array<OutgoingHttpHeader> = [REQUEST_ID, this.requestId]
    for (const { name, value } of this.common) if (own[name] === undefined) list.push(name, value)
    for (const name in own) {
      const value = own[name]
      if (value !== undefined) list.push(name, value)
    }
    return super.writeHead(status, list)
  }
}

const isHeaders = (given: unknown): given is OutgoingHttpHeaders =>
  typeof given === "object" && given !== null
