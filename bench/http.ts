import { connect, type Socket } from "node:net"

/**
 * A load generator that costs a few µs per request, so that on a small machine the servers get the processor:
 * kept-alive sockets, one request at a time on each, whole requests written as text, answers read by their
 * Content-Length. Only for servers that always send one.
 */
interface Connection {
  readonly socket: Socket
  /** Sends one request; the status, once the whole answer is there. */
  readonly ask: (request: string) => Promise<number>
}

/** Longer than any server's own time limit: an answer that late is lost. */
const ANSWER_LIMIT_MILLIS = 10_000

const open = async (port: number): Promise<Connection> => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject)
  })
  let waiting: PromiseWithResolvers<number> | undefined
  let text = ""
  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = undefined
  }
  socket.setEncoding("latin1")
  socket.on("error", fail)
  socket.on("close", () => fail(new Error("The server closed the connection")))
  socket.on("timeout", () => socket.destroy(new Error("No answer in time")))
  socket.setTimeout(ANSWER_LIMIT_MILLIS)
  socket.on("data", (chunk: string) => {
    text = text === "" ? chunk : text + chunk
    const end = text.indexOf("\r\n\r\n")
    if (end === -1) return
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2))?.[1]
    if (length === undefined) {
      socket.destroy(new Error("An answer without Content-Length"))
      return
    }
    if (text.length < end + 4 + Number(length)) return
    const status = Number(text.slice(9, 12))
    text = ""
    const answered = waiting
    waiting = undefined
    answered?.resolve(status)
  })
  const ask = (request: string) => {
    if (socket.destroyed) return Promise.reject(new Error("The connection is closed"))
    const asked = Promise.withResolvers<number>()
    waiting = asked
    socket.write(request, "latin1")
    return asked.promise
  }
  return { socket, ask }
}

/** What a run saw. `failed` counts every answer that was not 200; `unknown` those of them that never came. */
export interface Load {
  readonly seconds: number
  readonly accepted: number
  readonly failed: number
  readonly unknown: number
  /** Of every accepted request, sorted. */
  readonly latencyMillis: ReadonlyArray<number>
}

const collector = () => {
  const latencyMillis: Array<number> = []
  let failed = 0
  let unknown = 0
  const begun = performance.now()
  return {
    count: (status: number, since: number) => {
      if (status === 200) latencyMillis.push(performance.now() - since)
      else failed += 1
      if (status === 0) unknown += 1
    },
    load: (): Load => ({
      seconds: (performance.now() - begun) / 1000,
      accepted: latencyMillis.length,
      failed,
      unknown,
      latencyMillis: latencyMillis.toSorted((a, b) => a - b),
    }),
  }
}

/** Every connection asks again as soon as it has its answer. `request` gives the nth request. */
export const closedLoop = async (options: {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly request: (n: number) => string
}): Promise<Load> => {
  const connections = await Promise.all(Array.from({ length: options.connections }, () => open(options.port)))
  const until = performance.now() + options.seconds * 1000
  const { count, load } = collector()
  let n = 0
  await Promise.all(
    connections.map(async ({ socket, ask }) => {
      while (performance.now() < until && !socket.destroyed) {
        const since = performance.now()
        count(await ask(options.request(n++)).catch(() => 0), since)
      }
    }),
  )
  const result = load()
  for (const { socket } of connections) socket.destroy()
  return result
}

/** Requests come at a fixed rate, whether or not earlier ones are answered; latency counts from when one was due. */
export const openLoop = async (options: {
  /** Requests go to them in turn. */
  readonly ports: ReadonlyArray<number>
  readonly ratePerSecond: number
  readonly seconds: number
  readonly request: (n: number) => string
  /** The most connections; a request that finds none free has no answer. As many as it takes when left out. */
  readonly mostConnections?: number
  /** Told of every request that is due. */
  readonly started?: (n: number) => void
  /** Told of every answer, 0 for none, and of the time since the request was due. */
  readonly answered?: (n: number, status: number, millis: number) => void
}): Promise<Load> => {
  const { ports } = options
  const idle = await Promise.all(
    ports.map((port) => Promise.all(Array.from({ length: Math.ceil(64 / ports.length) }, () => open(port)))),
  )
  const all = new Set(idle.flat())
  const most = options.mostConnections ?? Number.POSITIVE_INFINITY
  const { count, load } = collector()
  const begun = performance.now()
  const total = Math.round(options.ratePerSecond * options.seconds)
  const answers: Array<Promise<void>> = []
  let inUse = 0
  // A server closes what was idle for a while.
  const takeOpen = (connections: Array<Connection>) => {
    let connection = connections.pop()
    while (connection?.socket.destroyed === true) connection = connections.pop()
    return connection
  }
  const send = async (n: number) => {
    const due = begun + (n * 1000) / options.ratePerSecond
    options.started?.(n)
    const turn = n % ports.length
    const kept = idle[turn] ?? []
    // A server that is full may not even take the connection: a refusal like any other.
    const connection =
      takeOpen(kept) ?? (inUse < most ? await open(ports[turn] ?? 0).catch(() => undefined) : undefined)
    if (connection !== undefined) {
      all.add(connection)
      inUse += 1
    }
    const status = (await connection?.ask(options.request(n)).catch(() => 0)) ?? 0
    count(status, due)
    options.answered?.(n, status, performance.now() - due)
    if (connection === undefined) return
    inUse -= 1
    if (status !== 0) kept.push(connection)
    else all.delete(connection)
  }
  for (let n = 0; n < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) * options.ratePerSecond) / 1000) + 1)
    while (n < due) answers.push(send(n++))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(answers)
  const result = load()
  for (const { socket } of all) socket.destroy()
  return result
}
