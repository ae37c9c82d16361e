import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from "node:http"
import { REQUEST_ID } from "./ListenerEdge.ts"

/** An answer of the listener: knows when its request came, and brings headers of its own. */
export class ListenerAnswer<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** When the headers of the request were there, in monotonic nanoseconds. */
  arrivedAt = 0n

  /** Comes first on this answer. */
  requestId = ""

  /** On this answer unless it is given another of the same name; names in lower case. */
  standing: ReadonlyArray<{ readonly name: string; readonly value: string }> = []

  /** Node is quickest with all headers at once, as one list; the reason phrase is always the usual one. */
  override writeHead(status: number, ...given: ReadonlyArray<unknown>): this {
    const own = given.find((argument): argument is OutgoingHttpHeaders => typeof argument === "object") ?? {}
    const list: Array<OutgoingHttpHeader> = [REQUEST_ID, this.requestId]
    for (const { name, value } of this.standing) if (own[name] === undefined) list.push(name, value)
    for (const name of Object.keys(own)) {
      const value = own[name]
      if (value !== undefined) list.push(name, value)
    }
    return super.writeHead(status, list)
  }
}
