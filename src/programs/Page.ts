import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpStaticServer from "effect/http/HttpStaticServer"
import * as FileSystem from "effect/FileSystem"

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

/** The built page: names under `/assets` carry a hash of their content and are kept for a year, the rest is asked for. */
export const Page = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    if (!(yield* Effect.orElseSucceed(files.exists(`${ROOT}/index.html`), () => false))) {
      yield* Effect.logWarning("The page is not built and / answers 404: run `npm run web:build`")
      return
    }
    const serve = (cacheControl: string) =>
      Effect.map(HttpStaticServer.make({ root: ROOT, cacheControl }), (handler) =>
        handler.pipe(
          Effect.catch(HttpServerRespondable.toResponse),
          Effect.map((response) =>
            HttpServerResponse.setHeader(response, "content-security-policy", CONTENT_SECURITY_POLICY),
          ),
        ),
      )
    const page = yield* serve("no-cache")
    yield* router.add("GET", "/", page)
    yield* router.add("GET", "/favicon.svg", page)
    yield* router.add("GET", "/assets/*", yield* serve("public, max-age=31536000, immutable"))
  }),
)
