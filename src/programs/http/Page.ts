import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpStaticServer from "effect/http/HttpStaticServer"
import * as FileSystem from "effect/FileSystem"
import { Receipts } from "../../services/Receipts.ts"
import * as Path from "effect/Path"
import { bareProblem } from "./Problems.ts"
import { type Coding, CODINGS, preferredCoding } from "./ContentCoding.ts"

/** Where `npm run web:build` puts the page, relative to a checkout. */
const BUILD = "dist/web"

/** The same beside the sources that run. */
const OWN_BUILD = new URL(`../../../${BUILD}`, import.meta.url)

const DOCUMENT = "index.html"

/** The document of a board that requires receipts: it says so, and the page shows no button that could not count. */
const RECEIPTS_DOCUMENT = "receipts.html"

/** The page may talk to its own origin only, and no inline script runs. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ")

const HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  vary: "Accept-Encoding",
}

/**
 * Serves the page's files in the coding that the client prefers. The build compresses each file ahead of time, under
 * the same name in one folder per coding, so type, length, ETag and HEAD work as for any file. A file without a
 * compressed copy, and a part of a file (`Range`), is sent uncompressed.
 */
const serveFiles = Effect.fnUntraced(function* (folder: string, cacheControl: string, index: string) {
  const files = yield* FileSystem.FileSystem
  const plain = yield* HttpStaticServer.make({ root: folder, cacheControl, index })
  const encoded = new Map<Coding, typeof plain>()
  for (const coding of CODINGS) {
    const root = `${folder}/${coding}`
    if (!(yield* files.exists(root))) continue
    const named = (response: HttpServerResponse.HttpServerResponse) =>
      response.status === 200 ? HttpServerResponse.setHeader(response, "content-encoding", coding) : response
    encoded.set(
      coding,
      Effect.map(yield* HttpStaticServer.make({ root, cacheControl, index }), named).pipe(
        Effect.catchIf(
          (error) => error.reason._tag === "RouteNotFound",
          () => plain,
        ),
      ),
    )
  }
  return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const coding = headers["range"] === undefined ? preferredCoding(headers["accept-encoding"]) : undefined
    return (coding && encoded.get(coding)) ?? plain
  }).pipe(
    Effect.catch(HttpServerRespondable.toResponse),
    Effect.map((response) => HttpServerResponse.setHeaders(response, HEADERS)),
  )
})

/** The paths of the page, besides its files under `/assets/`. */
export const PAGE_PATHS = ["/", "/favicon.svg", "/favicon.ico", "/boot.js"] as const

/**
 * The answer for a file that this process does not have. In a rolling deployment another process may have it, so no cache
 * may store the answer, and the client's next attempt uses a new connection: without a proxy in front, the same
 * connection would always reach this process.
 */
const MISSING = bareProblem(404, { connection: "close" })

/** The folder of the built page: in the folder that the process was started in, or else beside its sources. */
const findBuild = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const own = yield* Effect.flatMap(Path.Path, (path) => path.fromFileUrl(OWN_BUILD))
  for (const folder of [BUILD, own]) {
    if (yield* Effect.orElseSucceed(files.exists(`${folder}/index.html`), () => false)) return folder
  }
  return undefined
})

/** The built page. File names under `/assets` carry a hash of their content, so browsers cache them for a year. */
export const Page = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const folder = yield* findBuild
    if (folder === undefined) {
      yield* Effect.logWarning("The page is not built and / answers 404: run `npm run web:build`")
      return
    }
    const { required } = yield* Receipts
    const page = yield* serveFiles(folder, "no-cache", required ? RECEIPTS_DOCUMENT : DOCUMENT)
    for (const path of PAGE_PATHS) yield* router.add("GET", path, page)
    const assets = Effect.map(
      yield* serveFiles(folder, "public, max-age=31536000, immutable", DOCUMENT),
      (response) => (response.status === 404 ? MISSING : response),
    )
    yield* router.add("GET", "/assets/*", assets)
  }),
)
