import * as Effect from "effect/Effect"
import * as Function from "effect/Function"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Layer from "effect/Layer"
import { ScoreboardApi } from "../../domain/ScoreboardApi.ts"

/** The whole public contract as an OpenAPI 3.1 document. */
export const openApi = OpenApi.fromApi(ScoreboardApi)

export const OPENAPI_PATH = "/openapi.json"
export const DOCS_PATH = "/docs"

/** Scalar's page is one document with its script inside. It shows the OpenAPI document and no user's data. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

/** Settings of Scalar. By default it asks its maker's hosts for fonts, counts its users there and offers a client there. */
const SCALAR = {
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: "never",
}

/** `HttpApiScalar` writes a document without language or icon. */
const HEAD = `<html lang="en">
  <head>
    <link rel="icon" href="/favicon.ico" />`

/** The document is 3 MB, so it is made once: every request gets the same answer from Scalar's handler. */
const finished = Function.memoize((response: HttpServerResponse.HttpServerResponse) => {
  const { body } = response
  if (body._tag !== "Uint8Array") return response
  const html = new TextDecoder().decode(body.body).replace(/<html>\s*<head>/, HEAD)
  return HttpServerResponse.html(html).pipe(
    HttpServerResponse.setHeader("content-security-policy", DOCS_POLICY),
  )
})

const FinishedDocs = HttpRouter.middleware((app) => Effect.map(app, finished)).layer

/** `GET /openapi.json` for programs and `GET /docs` for people. */
export const Documentation = Layer.merge(
  HttpRouter.add("GET", OPENAPI_PATH, HttpServerResponse.jsonUnsafe(openApi)),
  Layer.provide(HttpApiScalar.layer(ScoreboardApi, { path: DOCS_PATH, scalar: SCALAR }), FinishedDocs),
)
