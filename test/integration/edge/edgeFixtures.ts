import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EDGE_SECRET, startEdge } from "../../support/engines/EdgeServer.ts"
import { type Answer, request, type RequestOptions } from "../../support/fixtures.ts"
import { makeOrigin } from "./originFixtures.ts"

/** An origin whose pages may use the API. */
export const ALLOWED = "https://page.example.com"

/** An edge in front of a bare origin. */
export class World extends Context.Service<
  World,
  { readonly edge: string; readonly origin: Effect.Success<typeof makeOrigin> }
>()("test/edge/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.gen(function* () {
      const origin = yield* makeOrigin
      const { url } = yield* startEdge(origin.url, { CORS_ORIGINS: ALLOWED })
      return { edge: url, origin }
    }),
  )
}

let networks = 0
/** A client of another network for each test, because the limits count by network. */
export const fromNewNetwork = () => fromNetwork(++networks)

/** A client of a network: asks the edge, and checks what every answer has. */
export const fromNetwork = (network: number) => {
  const client = `198.51.100.${network}`
  return {
    client,
    ask: (path: string, { headers = {}, ...options }: RequestOptions = {}) =>
      Effect.flatMap(World, ({ edge }) =>
        Effect.map(
          request(`${edge}${path}`, { ...options, headers: { "cf-connecting-ip": client, ...headers } }),
          check,
        ),
      ),
  }
}

/** What every answer has. */
const check = (answer: Answer) => {
  assert.match(String(answer.headers["x-request-id"]), /^[A-Za-z0-9._-]{1,64}$/)
  assert.match(String(answer.headers["content-security-policy"]), /^default-src 'none'/)
  assert.notInclude(JSON.stringify(answer), EDGE_SECRET)
  return answer
}

/** The problem document of a refusal by the edge itself. */
export const problemOf = ({ body, headers }: Answer) => {
  assert.match(String(headers["content-type"]), /^application\/problem\+json/)
  assert.strictEqual(headers["cache-control"], "no-store")
  assert.strictEqual(headers["x-content-type-options"], "nosniff")
  return JSON.parse(body) as unknown
}

/** Until a kept board is no longer fresh. */
export const settle = Effect.sleep("1100 millis")
