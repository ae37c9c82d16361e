import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpStaticServer from "effect/http/HttpStaticServer"
import * as FileSystem from "effect/FileSystem"
import { type Coding, CODINGS, preferredCoding } from "./ContentCoding.ts"

/** Where `npm run web:build` puts the page, from the folder the process is started in. */
const ROOT = "dist/web"

/** The page talks to its own origin only; nothing inline runs. */
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
 * The files of the page, in the coding that the client likes best: the build has made them, each under its own name
 * in a folder per coding, so that type, length, tag and HEAD are those of any file. What the build has left as it
 * is, is sent as it is; so is a part of a file (`Range`).
 */
const serveFiles = Effect.fnUntraced(function* (cacheControl: string) {
  const files = yield* FileSystem.FileSystem
  const plain = yield* HttpStaticServer.make({ root: ROOT, cacheControl })
  const encoded = new Map<Coding, typeof plain>()
  for (const coding of CODINGS) {
    const root = `${ROOT}/${coding}`
    if (!(yield* files.exists(root))) continue
    const named = (response: HttpServerResponse.HttpServerResponse) =>
      response.status === 200 ? HttpServerResponse.setHeader(response, "content-encoding", coding) : response
    encoded.set(
      coding,
      Effect.map(yield* HttpStaticServer.make({ root, cacheControl }), named).pipe(
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

/** The built page: names under `/assets` carry a hash of their content and are kept for a year, the rest is asked for. */
export const Page = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (!(yield* Effect.orElseSucceed(files.exists(`${ROOT}/index.html`), () => false))) {
      yield* Effect.logWarning("The page is not built and / answers 404: run `npm run web:build`")
      return
    }
    const page = yield* serveFiles("no-cache")
    yield* router.add("GET", "/", page)
    yield* router.add("GET", "/favicon.svg", page)
    yield* router.add("GET", "/assets/*", yield* serveFiles("public, max-age=31536000, immutable"))
  }),
)
