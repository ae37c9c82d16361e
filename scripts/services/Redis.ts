import { accessSync, constants } from "node:fs"
import { connect } from "node:net"
import { delimiter, join } from "node:path"
import * as Effect from "effect/Effect"
import { ServicesFailure } from "./Failure.ts"
import type { Options } from "./Options.ts"
import { type Part, startPart } from "./Part.ts"

/** Programs that speak Redis's protocol, best first. */
const PROGRAMS = ["redis-server", "valkey-server"]

const isExecutable = (path: string) => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const findProgram = Effect.suspend(() => {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "")
  const found = PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
  return found === undefined
    ? Effect.fail(
        new ServicesFailure({
          message:
            "redis-server is not installed: apt-get install redis-server, brew install redis, or run the others with --only postgres,sqs,cognito",
        }),
      )
    : Effect.succeed(found)
})

/** Whether a server answers a PING. */
const pong = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("PING\r\n"))
    socket.setTimeout(2_000, () => socket.destroy())
    socket.on("data", (data: Buffer) => {
      resume(Effect.succeed(data.toString().startsWith("+PONG")))
      socket.destroy()
    })
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })

/** Runs Redis on loopback. It keeps nothing: it only has copies. */
export const startRedis = Effect.fnUntraced(function* ({ ports, data }: Options) {
  const settings = { port: String(ports.redis), bind: "127.0.0.1", dir: data, save: "", appendonly: "no" }
  const running = yield* startPart({
    name: "Redis",
    command: {
      program: yield* findProgram,
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    },
    log: join(data, "redis.log"),
    isReady: pong(ports.redis),
  })
  const part: Part = {
    name: "Redis",
    settings: { REDIS_URL: `redis://127.0.0.1:${ports.redis}` },
    ...running,
  }
  return part
})
