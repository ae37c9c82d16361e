import { createServer } from "node:http"
import { MAX_HEADER_BYTES } from "../../foundation/PublicHttp.ts"
import { ListenerAnswer } from "./ListenerAnswer.ts"
import { refuseMalformed } from "./ListenerGuards.ts"
import type { RequestHandlers } from "./ListenerRequests.ts"

/** The time for all headers of a request to arrive. A slow sender occupies one socket and nothing else. */
const HEADERS_TIMEOUT_MILLIS = 10_000

/** The time for a whole request to arrive; a body has 16 KiB at most. */
const REQUEST_TIMEOUT_MILLIS = 15_000

/** How often Node checks the two time limits above. Its default of 30 s is longer than the limits themselves. */
const CHECK_TIMEOUTS_EVERY_MILLIS = 1_000

/** Longer than the 60 s after which common load balancers close an idle connection, so that they close it first. */
const KEEP_ALIVE_TIMEOUT_MILLIS = 65_000

/** A Node HTTP server with our limits that does not listen yet. */
export const makeServer = (handlers: RequestHandlers) => {
  const server = createServer({
    ServerResponse: ListenerAnswer,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MILLIS,
    requestTimeout: REQUEST_TIMEOUT_MILLIS,
    connectionsCheckingInterval: CHECK_TIMEOUTS_EVERY_MILLIS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MILLIS,
    // An offer to switch to another protocol (h2c, by curl and Java) may be ignored: the request is a plain one.
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
    // `admit` refuses a request without Host: Node's own refusal carries no request id.
    requireHostHeader: false,
    // Node does not read a request that announces no body: it ends at once, for much less CPU.
    optimizeEmptyRequests: true,
  })
  server.on("request", handlers.onRequest)
  server.on("checkExpectation", handlers.onExpectation)
  server.on("clientError", refuseMalformed)
  // Without a listener Node treats a request to upgrade as a plain one.
  if (handlers.onUpgrade !== undefined) server.on("upgrade", handlers.onUpgrade)
  return server
}
