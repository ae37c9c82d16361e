import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { withProblems } from "../../../../src/programs/http/Problems.ts"

const paths = new Map([["/there", ["GET", "HEAD"]]])

const answer = (
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>,
  path = "/there",
  method = "GET",
) =>
  Effect.gen(function* () {
    const request = HttpServerRequest.fromWeb(new Request(`http://board.test${path}`, { method }))
    const response = yield* Effect.provideService(
      withProblems(app, paths),
      HttpServerRequest.HttpServerRequest,
      request,
    )
    const web = HttpServerResponse.toWeb(response)
    return { status: web.status, headers: web.headers, text: yield* Effect.promise(() => web.text()) }
  })

describe("withProblems", () => {
  it.effect("turns a defect into a 500 that says nothing of it", () =>
    Effect.gen(function* () {
      const { status, headers, text } = yield* answer(Effect.die(new Error("secret of the driver")))
      assert.strictEqual(status, 500)
      assert.strictEqual(headers.get("content-type"), "application/problem+json")
      assert.strictEqual(text, '{"type":"about:blank","status":500,"title":"Internal Server Error"}')
    }),
  )

  it.effect("answers 405 with Allow where only the method is wrong, else 404", () =>
    Effect.gen(function* () {
      const nothing = Effect.succeed(HttpServerResponse.empty({ status: 404 }))
      const wrongMethod = yield* answer(nothing, "/there?x=1", "POST")
      const rightMethod = yield* answer(nothing)
      const nowhere = yield* answer(nothing, "/nowhere")
      assert.deepStrictEqual([wrongMethod.status, wrongMethod.headers.get("allow")], [405, "GET, HEAD"])
      assert.strictEqual(rightMethod.status, 404)
      assert.deepStrictEqual([nowhere.status, nowhere.headers.get("allow")], [404, null])
    }),
  )

  it.effect("lets no cache store a 404 or 405", () =>
    Effect.gen(function* () {
      const nothing = Effect.succeed(HttpServerResponse.empty({ status: 404 }))
      for (const { headers } of [yield* answer(nothing), yield* answer(nothing, "/there", "POST")]) {
        assert.strictEqual(headers.get("cache-control"), "no-store")
      }
    }),
  )

  it.effect("makes a bare error a problem document and leaves one that says something", () =>
    Effect.gen(function* () {
      const bare = yield* answer(Effect.succeed(HttpServerResponse.text("nope", { status: 415 })))
      const report = yield* answer(
        Effect.succeed(HttpServerResponse.jsonUnsafe({ redis: "away" }, { status: 503 })),
      )
      assert.strictEqual(bare.headers.get("content-type"), "application/problem+json")
      assert.strictEqual(report.text, '{"redis":"away"}')
    }),
  )
})
