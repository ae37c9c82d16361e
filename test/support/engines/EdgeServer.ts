import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { EngineFailure, spawn } from "./ChildProcess.ts"

const EDGE = join(import.meta.dirname, "../../../edge")

/** The secret of every edge in tests. */
export const EDGE_SECRET = "edge-0123456789-0123456789-0123456789"

/** Runs the edge, as `npm run edge:dev` does, in front of `origin`; gives its `http://host:port`. */
export const startEdge = Effect.fnUntraced(function* (
  origin: string,
  env: Readonly<Record<string, string>> = {},
) {
  if (!existsSync(join(EDGE, "node_modules/miniflare"))) {
    return yield* new EngineFailure({ message: "The edge is not installed: run `npm ci --prefix edge`" })
  }
  const edge = yield* spawn({
    command: process.execPath,
    args: ["scripts/dev.ts"],
    cwd: EDGE,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      ORIGIN: origin,
      EDGE_SECRET,
      PORT: "0",
      ...env,
    },
    readyWhen: /The edge is listening on (http:\S+),/,
    readyWithinMillis: 60_000,
  })
  return { url: edge.ready[1] ?? "", process: edge }
})
