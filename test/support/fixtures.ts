import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { mkdtemp, rm } from "node:fs/promises"
import { type Agent, type IncomingHttpHeaders, request as plainRequest } from "node:http"
import { request as secureRequest } from "node:https"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { WebSocket } from "ws"

/** How long anything over loopback may take before a test calls it lost, in milliseconds. */
const PATIENCE_MILLIS = 20_000

/** A complete answer to an HTTP request. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** How a connection is made. */
export interface Dialling {
  /** The certificate, as PEM, that a server which speaks TLS has to have. */
  readonly ca?: string
  /** The address of 127.0.0.0/8 that it comes from; the system's choice when left out. */
  readonly localAddress?: string
}

export interface RequestOptions extends Dialling {
  /** GET when left out. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** To reuse connections; a connection of its own when left out. */
  readonly agent?: Agent
}

/** Sends one request as it is given, headers and bytes, and reads the whole answer; fails when there is none. */
export const request = (url: string, options: RequestOptions = {}) =>
  Effect.callback<Answer, Error>((resume) => {
    const { body, ...others } = options
    const open = url.startsWith("https:") ? secureRequest : plainRequest
    const sent = open(url, { agent: false, timeout: PATIENCE_MILLIS, ...others }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", (error) => resume(Effect.fail(error)))
      response.on("end", () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        ),
      )
    })
    sent.on("timeout", () => sent.destroy(new Error(`No answer from ${url}`)))
    sent.on("error", (error) => resume(Effect.fail(error)))
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

/** Writes bytes to a port of loopback and gives what comes back until the other side hangs up. */
export const exchange = (port: number, bytes: string | Buffer) =>
  Effect.callback<string, Error>((resume) => {
    const chunks: Array<Buffer> = []
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(bytes))
    socket.setTimeout(PATIENCE_MILLIS, () => socket.destroy(new Error("The connection stays open")))
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("close", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
    return Effect.sync(() => socket.destroy())
  })

/** Asks again every 20 ms until the answer is as wanted; a defect with the last answer when it never is. */
export const until = <A, E, R>(
  what: string,
  ask: Effect.Effect<A, E, R>,
  wanted: (answer: A) => boolean,
  patience: Duration.Input = Duration.millis(PATIENCE_MILLIS),
): Effect.Effect<A, E, R> => {
  let last: A | undefined
  return ask.pipe(
    Effect.tap((answer) => Effect.sync(() => (last = answer))),
    Effect.repeat({ until: wanted, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.die(new Error(`Never: ${what}; last seen: ${JSON.stringify(last)}`)),
    }),
  )
}

/** Repeats a sign-in that a busy identity provider did not answer in time, as a client does. Gives any other 503. */
export const untilSignedIn = <E, R>(signIn: Effect.Effect<Answer, E, R>) =>
  until(
    "a sign-in is answered",
    signIn,
    ({ status, body }) => status !== 503 || !body.includes('"dependency":"identity provider"'),
    Duration.millis(2 * PATIENCE_MILLIS),
  )

/** A viewer of the board: an open WebSocket of a test, gone with its scope. */
export interface Viewer {
  /** Every text frame so far, oldest first. */
  readonly frames: ReadonlyArray<string>
  /** Waits until the newest frame is as wanted, and gives it. */
  until(wanted: (frame: string) => boolean, patience?: Duration.Input): Effect.Effect<string>
  /** Waits for the end of the connection: its close code. */
  readonly closed: Effect.Effect<number>
  /** The underlying socket, for what a well-behaved viewer does not do. */
  readonly socket: WebSocket
}

/** Opens a WebSocket; fails with the status of the answer when the server does not take it. */
export const openViewer = Effect.fnUntraced(function* (
  url: string,
  headers: Readonly<Record<string, string>> = {},
  dialling: Dialling = {},
) {
  const frames: Array<string> = []
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new WebSocket(url.replace(/^http/, "ws"), { headers, ...dialling })),
    (opened) => Effect.sync(() => opened.terminate()),
  )
  let code: number | undefined
  socket.on("message", (data: Buffer) => frames.push(data.toString()))
  socket.on("close", (closedWith) => (code = closedWith))
  yield* Effect.callback<void, Answer | Error>((resume) => {
    socket.once("open", () => resume(Effect.void))
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.once("unexpected-response", (_request, response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resume(
          Effect.fail({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        ),
      )
    })
  })
  const viewer: Viewer = {
    frames,
    until: (wanted, patience) =>
      until(
        "the wanted frame",
        Effect.sync(() => frames.at(-1) ?? ""),
        (frame) => frame !== "" && wanted(frame),
        patience,
      ),
    closed: until(
      "the end of the connection",
      Effect.sync(() => code ?? -1),
      (seen) => seen !== -1,
    ),
    socket,
  }
  return viewer
})

/** An empty folder that is gone with its scope. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "scoreboard-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5 })),
)
