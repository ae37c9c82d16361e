import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from "node:http"
import { REQUEST_ID } from "./ListenerEdge.ts"
import { flatten, type HeaderList } from "./ListenerHeaders.ts"

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

  override writeHead(status: number, reasonOrHeaders?: unknown, headers?: unknown): this {
    const own = isHeaders(reasonOrHeaders) ? reasonOrHeaders : isHeaders(headers) ? headers : {}
    return this.writeFlatHead(status, flatten(own, this.standing))
  }

  /** The same with all headers as `flatten` gives them: Node is quickest so. The reason phrase is always the usual one. */
  writeFlatHead(status: number, flat: ReadonlyArray<OutgoingHttpHeader>): this {
    return super.writeHead(status, [REQUEST_ID, this.requestId, ...flat])
  }
}

const isHeaders = (given: unknown): given is OutgoingHttpHeaders =>
  typeof given === "object" && given !== null
