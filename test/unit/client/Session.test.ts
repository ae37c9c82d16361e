import { assert, describe, it } from "@effect/vitest"
import { Player } from "../../../src/client/Player.ts"
import { type FakeAnswer, FakeEnvironment, type FakeRequest } from "./environmentFixtures.ts"

const url = "https://board.example"

/** A server whose access tokens are `access 1`, `access 2`, … and which accepts only the newest one. */
class FakeServer {
  readonly environment = new FakeEnvironment()
  readonly player = new Player({ url, environment: this.environment })
  /** The number of the access token that the server accepts. */
  accepted = 1
  /** Answers a refresh. By default, the answer contains the accepted token. */
  refresh: () => FakeAnswer | undefined | Promise<FakeAnswer> = () => ({
    status: 200,
    body: { accessToken: `access ${this.accepted}` },
  })
  logout: () => FakeAnswer | undefined = () => ({ status: 204 })

  constructor() {
    this.environment.answer = (request) => {
      const path = new URL(request.url).pathname
      if (path === "/users/auth/login") {
        return { status: 200, body: { accessToken: "access 1", refreshToken: "refresh 1" } }
      }
      if (path === "/users/auth/refresh") return this.refresh()
      if (request.headers?.["Authorization"] !== `Bearer access ${this.accepted}`) return { status: 401 }
      if (path === "/users/auth/logout") return this.logout()
      return path === "/scores/increment" ? { status: 200 } : { status: 503 }
    }
  }

  sent(path: string): ReadonlyArray<FakeRequest> {
    return this.environment.requests.filter((request) => request.url === url + path)
  }

  static async signedIn() {
    const server = new FakeServer()
    await server.player.signIn("ada@example.com", "secret")
    return server
  }
}

describe("A session whose access token has expired", () => {
  it("is refreshed silently, and the press is sent again under the same key", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    server.player.press()
    await server.environment.settle()
    assert.deepInclude(server.player.view, { email: "ada@example.com", pending: 0, counted: 1 })
    const [refresh] = server.sent("/users/auth/refresh")
    assert.deepStrictEqual(JSON.parse(refresh?.body ?? ""), { refreshToken: "refresh 1" })
    const keys = server.sent("/scores/increment").map(({ headers }) => headers?.["Idempotency-Key"])
    assert.strictEqual(keys.length, 2)
    assert.strictEqual(keys[0], keys[1])
  })

  it("is refreshed once for all pending presses", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    for (let press = 0; press < 5; press++) server.player.press()
    await server.environment.settle()
    assert.strictEqual(server.player.view.counted, 5)
    assert.strictEqual(server.sent("/users/auth/refresh").length, 1)
  })

  it("uses a refresh token that replaces the last one", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    server.refresh = () => ({
      status: 200,
      body: { accessToken: `access ${server.accepted}`, refreshToken: `refresh ${server.accepted}` },
    })
    server.player.press()
    await server.environment.settle()
    server.accepted = 3
    server.player.press()
    await server.environment.settle()
    assert.strictEqual(server.player.view.counted, 2)
    const sent = server.sent("/users/auth/refresh").map(({ body }) => body)
    assert.deepStrictEqual(sent, ['{"refreshToken":"refresh 1"}', '{"refreshToken":"refresh 2"}'])
  })

  it.each([401, 404, 400])("asks to sign in when the refresh is answered with %i", async (status) => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    server.refresh = () => ({ status })
    server.player.press()
    await server.environment.settle()
    assert.deepInclude(server.player.view, { email: undefined, expired: true, pending: 0 })
    assert.strictEqual(server.sent("/users/auth/refresh").length, 1)
  })

  it("asks to sign in when the new token is rejected as well, without a second refresh", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 3
    server.refresh = () => ({ status: 200, body: { accessToken: "access 2" } })
    server.player.press()
    await server.environment.settle()
    assert.deepInclude(server.player.view, { email: undefined, expired: true })
    assert.strictEqual(server.sent("/users/auth/refresh").length, 1)
  })

  it("stays signed in while the refresh is unavailable, and says so", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    server.refresh = () => ({ status: 503, headers: { "retry-after": "3" } })
    server.player.press()
    await server.environment.settle()
    assert.deepInclude(server.player.view, {
      email: "ada@example.com",
      pending: 0,
      problem: { kind: "unavailable", retryAfterSeconds: 3 },
    })
  })
})

describe("Player.signOut", () => {
  it("is signed out at once and ends the session on the server, even when the page is closed", async () => {
    const server = await FakeServer.signedIn()
    server.player.signOut()
    assert.isUndefined(server.player.view.email)
    await server.environment.settle()
    const [logout, ...more] = server.sent("/users/auth/logout")
    assert.strictEqual(logout?.headers?.["Authorization"], "Bearer access 1")
    assert.deepStrictEqual(JSON.parse(logout?.body ?? ""), { refreshToken: "refresh 1" })
    assert.isTrue(logout?.keepalive)
    assert.lengthOf(more, 0)
    server.environment.assertNothingLeft()
  })

  it("tries again after a 503", async () => {
    const server = await FakeServer.signedIn()
    const answers: FakeAnswer[] = [{ status: 503, headers: { "retry-after": "1" } }, { status: 204 }]
    server.logout = () => answers.shift()
    server.player.signOut()
    await server.environment.advance(5_000)
    assert.strictEqual(server.sent("/users/auth/logout").length, 2)
    server.environment.assertNothingLeft()
  })

  it("also ends a session whose access token has expired", async () => {
    const server = await FakeServer.signedIn()
    server.accepted = 2
    server.player.signOut()
    await server.environment.settle()
    const authorizations = server.sent("/users/auth/logout").map(({ headers }) => headers?.["Authorization"])
    assert.deepStrictEqual(authorizations, ["Bearer access 1", "Bearer access 2"])
  })

  it("waits for a refresh under way, so that no new token outlives the session", async () => {
    const server = await FakeServer.signedIn()
    const answered = Promise.withResolvers<FakeAnswer>()
    server.accepted = 2
    server.refresh = () => answered.promise
    server.player.press()
    await server.environment.settle()
    server.player.signOut()
    await server.environment.settle()
    assert.lengthOf(server.sent("/users/auth/logout"), 0)
    answered.resolve({ status: 200, body: { accessToken: "access 2", refreshToken: "refresh 2" } })
    await server.environment.settle()
    const [logout] = server.sent("/users/auth/logout")
    assert.deepStrictEqual(JSON.parse(logout?.body ?? ""), { refreshToken: "refresh 2" })
    assert.lengthOf(server.sent("/scores/increment"), 1)
  })

  it("does not retry when the server lacks the logout route", async () => {
    const server = await FakeServer.signedIn()
    server.logout = () => ({ status: 404 })
    server.player.signOut()
    await server.environment.advance(60_000)
    assert.lengthOf(server.sent("/users/auth/logout"), 1)
    server.environment.assertNothingLeft()
  })
})
