import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { keptFor, ROUTES, routeOf } from "../../../edge/src/Routes.ts"
import { SOCKET_PATH } from "../../../src/programs/board/ScoresSocket.ts"
import { openApi } from "../../../src/programs/http/Documentation.ts"
import { paths } from "../../../src/programs/http/Routes.ts"

const Operation = Schema.Struct({
  security: Schema.Array(Schema.Unknown),
  parameters: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      in: Schema.String,
      schema: Schema.Struct({ pattern: Schema.optionalKey(Schema.String) }),
    }),
  ),
})
const Paths = Schema.Record(Schema.String, Schema.Record(Schema.String, Operation))

/** The operations of the document that the API serves. */
const operations = Object.entries(Schema.decodeUnknownSync(Paths)(openApi.paths)).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
)

describe("The edge's table of routes", () => {
  it("has every path of the API with its methods, and no other", () => {
    const served = [...paths, ["/assets/*", ["GET", "HEAD"]] as const]
    const lines = (routes: ReadonlyArray<readonly [path: string, methods: ReadonlyArray<string>]>) =>
      routes.map(([path, methods]) => `${path} ${methods.toSorted().join(" ")}`).toSorted()
    assert.deepStrictEqual(lines(ROUTES.map(({ path, methods }) => [path, methods])), lines(served))
  })

  for (const { path, method, operation } of operations) {
    it(`treats ${method.toUpperCase()} ${path} as its document says`, () => {
      const route = routeOf(path)
      const needsToken = operation.security.length > 0
      const isKept = method === "get" && !needsToken
      assert.strictEqual(route?.keep !== undefined, isKept, "what needs a token or writes is never kept")
      if (route?.keep === undefined) return
      const queries = operation.parameters.filter((parameter) => parameter.in === "query")
      const { query } = route.keep
      if (query === "any") return assert.fail("an operation depends on its query")
      assert.deepStrictEqual([...query.keys()].toSorted(), queries.map(({ name }) => name).toSorted())
      for (const { name, schema } of queries) {
        const { pattern } = schema
        // The edge may know fewer values than the contract; any other one is passed on.
        if (name === "after") assert.strictEqual(query.get(name)?.source, pattern)
      }
    })
  }

  it("counts signing in apart from other writes", () => {
    assert.deepStrictEqual(
      ROUTES.filter(({ limit }) => limit === "LOGINS").map(({ path }) => path),
      [...paths.keys()].filter((path) => path.startsWith("/users/auth/")),
    )
    assert.strictEqual(routeOf(SOCKET_PATH)?.limit, "SOCKETS")
  })

  it.each([
    "/scores/",
    "/Scores",
    "//scores",
    "/scores/x",
    "/health/ready",
    "/metrics",
    "/.edge/x",
    "/assets",
  ])("has no %s", (path) => assert.isUndefined(routeOf(path)))
})

describe("What is kept", () => {
  const kept = (target: string) => {
    const url = new URL(target, "https://board.example.com")
    const route = routeOf(url.pathname)
    return route && keptFor(route, url)
  }

  it.each([
    ["/scores", "/scores", false],
    ["/scores/page", "/scores/page", false],
    ["/scores/page?limit=5", "/scores/page?limit=5", true],
    ["/scores/page?limit=5&after=1.-2.3", "/scores/page?after=1.-2.3&limit=5", true],
    ["/scores/page?after=1.-2.3&limit=%35", "/scores/page?after=1.-2.3&limit=5", true],
    ["/?wall&fbclid=x", "/", false],
    ["/assets/index-a1.js?x", "/assets/index-a1.js", true],
  ])("%s is kept as %s", (asked, target, isScarce) => {
    assert.deepStrictEqual(kept(asked), { target, isScarce })
  })

  it.each([
    "/scores?x=1",
    "/scores?limit=5",
    "/scores/page?limit=05",
    "/scores/page?limit=101",
    "/scores/page?limit=5&limit=5",
    "/scores/page?after=1.2",
    "/scores/page?after=1.2.3%0A",
    "/scores/page?limit=5&later=1",
    "/scores/page?constructor=1",
    "/scores/me",
    "/users/me/history?limit=5",
    "/scores/websocket",
  ])("%s is for the origin to answer", (asked) => assert.isUndefined(kept(asked)))
})
