import * as Effect from "effect/Effect"
import { join } from "node:path"
import { spawn } from "../../test/support/engines/ChildProcess.ts"
import { EDGE_SECRET } from "../../test/support/engines/EdgeServer.ts"

const ROOT = join(import.meta.dirname, "../..")

/** `npm start` without the page, behind the secret of the edge. */
export const startApi = (folder: string, port: number) =>
  Effect.map(
    spawn({
      command: process.execPath,
      args: [join(ROOT, "src/main-local.ts")],
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        PORT: String(port),
        MANAGEMENT_PORT: "0",
        EDGE_SECRET,
        TRUSTED_PROXY_HOPS: "1",
        LOG_FORMAT: "json",
      },
      readyWhen: /Password\s+(\S+)/,
      readyWithinMillis: 60_000,
      stopWithinMillis: 20_000,
    }),
    (child) => {
      const management = /"Health and metrics are served".*"port":(\d+)/.exec(child.lines().join("\n"))?.[1]
      return {
        stop: child.stop,
        metrics: `http://127.0.0.1:${management}/metrics`,
        password: String(child.ready[1]),
      }
    },
  )

/** How many GETs of a route the API has answered so far. */
export const readsOf = async (metrics: string, route: string): Promise<number> => {
  const text = await (await fetch(metrics)).text()
  const series = text.matchAll(/^http_request_duration_seconds_count\{([^}]*)\} (\d+)/gm)
  return Array.from(series, ([, labels = "", count]) =>
    labels.includes(`route="${route}"`) && labels.includes('method="GET"') ? Number(count) : 0,
  ).reduce((sum, count) => sum + count, 0)
}

/** Changes the board four times a second, through the edge, until the returned function is called. */
export const play = async (edge: string, password: string): Promise<() => void> => {
  const login = await fetch(`${edge}/users/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password }),
  })
  const token = /"accessToken":"([^"]+)"/.exec(await login.text())?.[1]
  if (token === undefined) throw new Error(`The player cannot sign in: ${login.status}`)
  const headers = { authorization: `Bearer ${token}` }
  const press = () => fetch(`${edge}/scores/increment`, { method: "POST", headers })
  const timer = setInterval(() => void press().catch(() => undefined), 250)
  return () => clearInterval(timer)
}
