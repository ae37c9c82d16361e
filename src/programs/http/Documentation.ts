import * as Effect from "effect/Effect"
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

const DocsPolicy = HttpRouter.middleware((app) =>
  Effect.map(app, HttpServerResponse.setHeader("content-security-policy", DOCS_POLICY)),
).layer

/** `GET /openapi.json` for programs and `GET /docs` for people. */
export const Documentation = Layer.merge(
  HttpRouter.add("GET", OPENAPI_PATH, HttpServerResponse.jsonUnsafe(openApi)),
  Layer.provide(HttpApiScalar.layer(ScoreboardApi, { path: DOCS_PATH }), DocsPolicy),
)
