import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import type { ListenerAnswer } from "./ListenerAnswer.ts"
import { CLIENT_ADDRESS, makeClientReader } from "./ListenerClient.ts"
import { countStranger, EDGE_SECRET_HEADER, type Gate } from "./ListenerGate.ts"
import { admit, assignRequestId, endRaw, pathOf, refuse } from "./ListenerGuards.ts"
import { COMMON_HEADERS, COMMON_HEADERS_CLOSING, hasSeveralAuthorizations } from "./ListenerHeaders.ts"
import { makeMeasure, type RouteOf } from "./ListenerMeasure.ts"
import { makeRounds, type Round } from "./ListenerRounds.ts"

/** Takes over the connection of a client with this address (undefined), or says how to refuse the upgrade. */
export type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  address: string,
) => UpgradeRefusal | undefined

/** The answer to a refused upgrade; `headers` are whole lines. */
export interface UpgradeRefusal {
  readonly status: number
  readonly title: string
  readonly headers?: ReadonlyArray<string>
}

/** What a port serves. */
export interface Served {
  /** The finished application: it has every route, and turns every error into an answer. */
  readonly app: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    never,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** Paths whose plain GET and HEAD requests are answered in rounds: the same answers as from `app`, for less CPU. */
  readonly rounds?: ReadonlyMap<string, Round>
  /** Absent = no request is upgraded. */
  readonly upgrade?: Upgrade
  readonly routeOf: RouteOf
  /** Refuses, with 403, every request that did not come through the edge. Absent = everybody may come. */
  readonly gate?: Gate | undefined
}

/** Listeners for the events of a Node server. */
export interface RequestHandlers {
  readonly onRequest: (request: IncomingMessage, response: ListenerAnswer) => void
  /** Of a request with an `Expect` header that Node does not know. */
  readonly onExpectation: (request: IncomingMessage, response: ListenerAnswer) => void
  readonly onUpgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | undefined
  /** From now on every answer closes its connection. */
  readonly closeConnections: () => void
}

/**
 * True for a GET or HEAD with a Host header and no body: no guard would refuse it, and there is nothing to read. (Even a
 * GET may have a body.)
 */
const isPlainRead = ({ method, headers }: IncomingMessage) =>
  (method === "GET" || method === "HEAD") &&
  headers.host !== undefined &&
  headers["content-length"] === undefined &&
  headers["transfer-encoding"] === undefined

const ignoredForwarding = Effect.logWarning(
  "A forwarding header was ignored: set TRUSTED_PROXY_HOPS if a proxy of yours is in front",
)

/** Decides what answers a request: a guard, a round or the application, whose fibers live in `scope`. */
export const makeRequestHandlers = Effect.fnUntraced(function* (
  served: Served,
  trustedProxyHops: number,
  scope: Scope.Scope,
) {
  const context = yield* Effect.context<never>()
  const fork = Effect.runForkWith(context)
  const clients = makeClientReader(trustedProxyHops, () => fork(ignoredForwarding))
  const measure = makeMeasure(served.routeOf, context)
  const handle = yield* NodeHttpServer.makeHandler(served.app, { scope })

  const toApplication = (request: IncomingMessage, response: ListenerAnswer) => {
    measure.whenClosed(response)
    request.headers[CLIENT_ADDRESS] = clients.addressOf(request)
    // The edge may send a secret before this process is told to ask for one, and traces contain headers.
    if (request.headers[EDGE_SECRET_HEADER] !== undefined) delete request.headers[EDGE_SECRET_HEADER]
    if (hasSeveralAuthorizations(request)) delete request.headers.authorization
    if (admit(request, response)) handle(request, response)
  }
  const forkRound = (effect: Effect.Effect<void>) => Fiber.runIn(fork(effect), scope)
  const rounds = new Map(
    Array.from(served.rounds ?? [], ([path, round]) => [
      path,
      makeRounds({ round, measure, fallback: toApplication, fork: forkRound }),
    ]),
  )

  let common = COMMON_HEADERS
  const prepare = (request: IncomingMessage, response: ListenerAnswer) => {
    measure.arrived(response)
    response.common = clients.isSecure(request) ? common.secure : common.plain
    response.requestId = assignRequestId(request)
  }
  const { upgrade, gate } = served
  /** False for a stranger, who is counted. */
  const passes = (request: IncomingMessage): boolean => {
    const stranger = gate?.(request)
    if (stranger !== undefined) countStranger(stranger, context)
    return stranger === undefined
  }
  const forbid = (response: ListenerAnswer) => {
    measure.whenClosed(response)
    refuse(response, 403, "Forbidden")
  }
  const handlers: RequestHandlers = {
    onRequest: (request, response) => {
      prepare(request, response)
      if (!passes(request)) return forbid(response)
      const answer = (isPlainRead(request) ? rounds.get(pathOf(request.url)) : undefined) ?? toApplication
      answer(request, response)
    },
    onExpectation: (request, response) => {
      prepare(request, response)
      if (!passes(request)) return forbid(response)
      measure.whenClosed(response)
      if (admit(request, response)) refuse(response, 417, "Expectation Failed")
    },
    onUpgrade:
      upgrade &&
      ((request, socket, head) => {
        if (!passes(request)) return endRaw(socket, 403, "Forbidden")
        const refusal = upgrade(request, socket, head, clients.addressOf(request))
        if (refusal !== undefined) endRaw(socket, refusal.status, refusal.title, refusal.headers)
      }),
    closeConnections: () => {
      common = COMMON_HEADERS_CLOSING
    },
  }
  return handlers
})
