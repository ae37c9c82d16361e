import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { makeCertificate } from "../support/engines/Certificate.ts"
import { spawn } from "../support/engines/ChildProcess.ts"
import { ROOT } from "../support/engines/embeddedPostgres.ts"
import { freePort } from "../support/engines/freePort.ts"
import { engineFolder } from "../support/engines/runFolder.ts"
import { openViewer, request, type RequestOptions } from "../support/fixtures.ts"

/** A player of `npm start`. */
const ADA = { email: "ada@example.com", password: "scoreboard" }

const Token = Schema.fromJsonString(Schema.Struct({ accessToken: Schema.String }))

/** Changes one line of the documented file, which has to be there. */
const replaced = (text: string, line: string, by: string) => {
  assert.include(text, line)
  return text.replace(line, by)
}

/** Starts nginx with the documented file, in which only addresses and the certificate's files are others. */
const startNginx = Effect.fnUntraced(function* (target: number) {
  const folder = yield* engineFolder("scoreboard-nginx-")
  const [plainPort, port] = [yield* freePort, yield* freePort]
  const { cert, key } = makeCertificate()
  const documented = yield* Effect.promise(() => readFile(join(ROOT, "ops/nginx.conf"), "utf8"))
  const changed = Object.entries({
    "listen 80;": `listen 127.0.0.1:${plainPort};`,
    "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
    "server 127.0.0.1:8080;": `server 127.0.0.1:${target};`,
    "/etc/ssl/board.example.com.pem": join(folder, "cert.pem"),
    "/etc/ssl/board.example.com.key": join(folder, "key.pem"),
  }).reduce((text, [line, by]) => replaced(text, line, by), documented)
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  const main = `
    daemon off; pid ${folder}/pid; error_log stderr notice; worker_processes 1;
    ${process.getuid?.() === 0 ? "user root root;" : ""}
    events { worker_connections 256; }
    http {
      access_log off;
      ${kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
      include ${folder}/documented.conf;
    }`
  const files = { "main.conf": main, "documented.conf": changed, "cert.pem": cert, "key.pem": key }
  yield* Effect.promise(async () => {
    for (const [name, text] of Object.entries(files))
      await writeFile(join(folder, name), text, { mode: 0o600 })
  })
  yield* spawn({
    command: "nginx",
    args: ["-p", folder, "-e", "stderr", "-c", join(folder, "main.conf")],
    // Debian has it in a folder that not every user searches.
    env: { PATH: `${process.env["PATH"]}:/usr/sbin` },
    readyWhen: /start worker process \d+/,
    install: "apt-get install nginx",
  })
  return { ca: cert, url: `https://127.0.0.1:${port}`, plain: `http://127.0.0.1:${plainPort}` }
})

it.live("serves requests and sockets over TLS through nginx as ops/nginx.conf has it", () =>
  Effect.gen(function* () {
    const folder = yield* engineFolder("scoreboard-local-")
    const board = yield* spawn({
      command: process.execPath,
      args: [join(ROOT, "src/main-local.ts")],
      cwd: folder,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        PORT: "0",
        TRUSTED_PROXY_HOPS: "1",
        WEBSOCKET_MAX_PER_ADDRESS: "2",
      },
      readyWhen: /Score board\s+http:\/\/[^:]+:(\d+)/,
      readyWithinMillis: 60_000,
      stopWithinMillis: 15_000,
    })
    const { ca, plain, url } = yield* startNginx(Number(board.ready[1]))
    const ask = (path: string, options: RequestOptions = {}) => request(url + path, { ca, ...options })
    const socket = `${url}/scores/websocket`

    const moved = yield* request(`${plain}/scores?a=b`, { headers: { host: "board.example.com" } })
    assert.deepStrictEqual(
      [moved.status, moved.headers.location],
      [308, "https://board.example.com/scores?a=b"],
    )

    const viewer = yield* openViewer(socket, { origin: url }, { ca, localAddress: "127.0.0.2" })
    const login = yield* ask("/users/auth/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(ADA),
    })
    assert.strictEqual(login.status, 200)
    assert.strictEqual(login.headers["strict-transport-security"], "max-age=31536000")
    const { accessToken } = Schema.decodeUnknownSync(Token)(login.body)
    for (let n = 1; n <= 3; n++) {
      const headers = { authorization: `Bearer ${accessToken}` }
      assert.strictEqual((yield* ask("/scores/increment", { method: "POST", headers })).status, 200)
    }
    yield* viewer.until((frame) => frame.includes('"score":3'))

    const refusal = (origin: string, localAddress: string, headers: Readonly<Record<string, string>> = {}) =>
      Effect.flip(openViewer(socket, { origin, ...headers }, { ca, localAddress }))
    assert.propertyVal(yield* refusal("https://evil.example", "127.0.0.2"), "status", 403)
    yield* openViewer(
      socket,
      { origin: url, "x-forwarded-for": "192.0.2.1" },
      { ca, localAddress: "127.0.0.2" },
    )
    const claims = { "x-forwarded-for": "192.0.2.2" }
    assert.propertyVal(yield* refusal(url, "127.0.0.2", claims), "status", 429)
    yield* openViewer(socket, { origin: url }, { ca, localAddress: "127.0.0.3" })

    const large = yield* ask("/users/auth/login", { method: "POST", body: "x".repeat(16 * 1024 + 1) })
    assert.strictEqual(large.status, 413)
  }).pipe(Effect.scoped),
)
