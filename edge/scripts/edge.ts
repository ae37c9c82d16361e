import { build } from "esbuild"
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare"
import { join } from "node:path"
import config from "../wrangler.json" with { type: "json" }
import type { Settings } from "../src/Settings.ts"

const ROOT = join(import.meta.dirname, "..")

/** The Worker as one module, as `wrangler deploy` bundles it. */
const bundle = async (): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, "src/main.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker"],
    logLevel: "error",
  })
  return outputFiles[0]?.text ?? ""
}

/** A running edge. */
export interface Edge {
  readonly url: URL
  readonly stop: () => Promise<void>
}

/** Runs the Worker in workerd on this machine, with the limits of wrangler.json. Port 0 = any free one. */
export const startEdge = async (settings: Settings, port: number): Promise<Edge> => {
  const bindings = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port,
      log: new Log(LogLevel.WARN),
      modules: [{ type: "ESModule", path: "main.js", contents: await bundle() }],
      compatibilityDate: config.compatibility_date,
      bindings,
      ratelimits: Object.fromEntries(
        config.ratelimits.map(({ name, namespace_id, simple }) => [
          name,
          { namespace_id, simple: { limit: simple.limit, period: simple.period === 60 ? 60 : 10 } } as const,
        ]),
      ),
    }),
  )
  return { url: await miniflare.ready, stop: () => miniflare.dispose() }
}
