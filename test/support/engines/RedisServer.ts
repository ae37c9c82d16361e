import { rm } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { type ChildProcess, type EngineFailure, spawn } from "./ChildProcess.ts"
import { freePort } from "./freePort.ts"
import { engineFolder } from "./runFolder.ts"

/** A real redis-server of one test: empty, on a free port of 127.0.0.1, gone with the scope. */
export interface RedisEngine {
  readonly port: number
  /** For `REDIS_URL`; with the password when there is one. */
  readonly url: string
  /** Starts it again, empty, on the same port, after `kill`. */
  readonly start: Effect.Effect<void, EngineFailure>
  /** The same, but with what its snapshot on disk has: what it saved, or received when it last became a replica. */
  readonly reload: Effect.Effect<void, EngineFailure>
  /** SIGKILL; returns when it is gone. */
  readonly kill: Effect.Effect<void>
  /** Makes it mute: connections are accepted by the kernel and stay open, nothing is answered. */
  readonly pause: Effect.Effect<void>
  /** Ends `pause`; what was sent meanwhile is answered now. */
  readonly resume: Effect.Effect<void>
}

export interface RedisServerOptions {
  /** What clients must send; nothing when left out. */
  readonly password?: string
}

/** Starts a redis-server; fails with what to install when there is none. */
export const startRedisServer = Effect.fnUntraced(function* (
  options: RedisServerOptions = {},
): Effect.fn.Return<RedisEngine, EngineFailure, Scope.Scope> {
  const scope = yield* Effect.scope
  const port = yield* freePort
  const dir = yield* engineFolder("scoreboard-redis-")
  const settings = {
    port: String(port),
    bind: "127.0.0.1",
    dir,
    save: "",
    appendonly: "no",
    // By default a primary waits 5 s for more replicas before it sends its data, and they show old data meanwhile.
    "repl-diskless-sync-delay": "0",
  }
  const spawned = spawn({
    command: "redis-server",
    args: [
      ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      ...(options.password === undefined ? [] : ["--requirepass", options.password]),
    ],
    readyWhen: /Ready to accept connections/,
    install: "apt-get install redis-server",
  }).pipe(Scope.provide(scope))

  let running: ChildProcess = yield* spawned
  const reload = Effect.map(spawned, (next) => {
    running = next
  })
  const forget = Effect.promise(() => rm(join(dir, "dump.rdb"), { recursive: true, force: true }))
  return {
    port,
    url: `redis://${options.password === undefined ? "" : `:${options.password}@`}127.0.0.1:${port}`,
    start: Effect.andThen(forget, reload),
    reload,
    kill: Effect.suspend(() => Effect.andThen(running.signal("SIGKILL"), Effect.asVoid(running.exit))),
    pause: Effect.suspend(() => running.signal("SIGSTOP")),
    resume: Effect.suspend(() => running.signal("SIGCONT")),
  }
})
