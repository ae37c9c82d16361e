import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http"

/** An answer of the listener: knows when its request came, and brings headers of its own. */
export class ListenerAnswer<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** When the headers of the request were there, in monotonic nanoseconds. */
  arrivedAt = 0n

  /** On this answer unless it is given another of the same name; names in lower case. */
  standing: Readonly<Record<string, string>> = {}

  /** Node is quickest with all headers at once; the reason phrase is always the usual one. */
  override writeHead(status: number, ...given: ReadonlyArray<unknown>): this {
    const own = given.find((argument): argument is OutgoingHttpHeaders => typeof argument === "object")
    return super.writeHead(status, { ...this.standing, ...own })
  }
}
