import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { Agent, request } from "node:http"
import { type Environment, type RequestLike, type ResponseLike } from "../../src/client/Environment.ts"
import { Player } from "../../src/client/Player.ts"

/** Connections that all viewers share: the answers count, not the handshakes. */
const CONNECTIONS = 64

const SIGN_INS_PER_SECOND = 250

const send = (agent: Agent, url: string, { method = "GET", headers = {}, signal }: RequestLike) =>
  new Promise<ResponseLike>((resolve, reject) => {
    const sent = request(url, { method, headers, agent, signal }, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", reject)
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: {
            get: (name) => {
              const value = response.headers[name.toLowerCase()]
              return typeof value === "string" ? value : null
            },
          },
          text: async () => Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on("error", reject)
    sent.end()
  })

/** Signed-in viewers: the page's own client, with one token each from the fake provider and no socket. */
export const makeViewers = Effect.fnUntraced(function* (options: {
  readonly port: number
  /** Mints an access token with these claims. */
  readonly accessWith: (claims: object) => string
  readonly players: ReadonlyArray<string>
}) {
  const url = `http://127.0.0.1:${options.port}`
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ keepAlive: true, maxSockets: CONNECTIONS })),
    (opened) => Effect.sync(() => opened.destroy()),
  )
  let millis: Array<number> = []
  let statuses = new Map<number, number>()

  const makePlayer = async (sub: string) => {
    const accessToken = options.accessWith({ sub, jti: randomUUID() })
    const environment: Environment = {
      now: () => Date.now(),
      random: () => Math.random(),
      after: (delayMs, action) => {
        const timer = setTimeout(action, delayMs)
        return () => clearTimeout(timer)
      },
      openSocket: () => {
        throw new Error("A player opens no socket")
      },
      fetch: async (address, sent) => {
        if (address.endsWith("/users/auth/login")) {
          const tokens = JSON.stringify({ accessToken, refreshToken: "none" })
          return { status: 200, headers: { get: () => null }, text: async () => tokens }
        }
        const begun = performance.now()
        const answer = await send(agent, address, sent)
        millis.push(performance.now() - begun)
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        return answer
      },
      isOnline: () => true,
      isHidden: () => false,
      watchPage: () => () => undefined,
    }
    const player = new Player({ url, environment })
    await player.signIn(`${sub}@example.com`, "password")
    return player
  }
  const players: Array<Player> = []
  yield* Effect.promise(async () => {
    for (const sub of options.players) {
      players.push(await makePlayer(sub))
      // Nobody's players sign in at the same moment.
      await new Promise((resolve) => setTimeout(resolve, 1000 / SIGN_INS_PER_SECOND))
    }
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => players.forEach((player) => player.signOut())))

  return {
    boardChanged: () => players.forEach((player) => player.boardChanged()),
    /** Forgets what was measured. */
    reset: () => {
      millis = []
      statuses = new Map()
    },
    /** Of every read since `reset`: how long it took, and how often which status was answered. */
    figures: () => ({ millis, statuses }),
  }
})
