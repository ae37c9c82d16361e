import { assert, describe, it } from "@effect/vitest"
import { Player } from "../../../src/client/Player.ts"
import { type FakeAnswer, FakeEnvironment, type FakeRequest } from "./environmentFixtures.ts"

const url = "https://board.example"
const tokens = { accessToken: "access", refreshToken: "refresh" }
const counted: FakeAnswer = { status: 200, body: { message: "Score incremented" } }

const isIncrement = (request: FakeRequest) => request.url.endsWith("/scores/increment")
const isSignIn = (request: FakeRequest) => request.url.endsWith("/users/auth/login")
const keys = (environment: FakeEnvironment) =>
  environment.requests.filter(isIncrement).map(({ headers }) => headers?.["Idempotency-Key"])

/** A signed-in player whose presses are answered by `answer`. The server has no other route, except that it may refresh. */
const signedIn = async (answer: FakeEnvironment["answer"], refreshes = false) => {
  const environment = new FakeEnvironment()
  environment.answer = (request) => {
    if (isSignIn(request)) return { status: 200, body: tokens }
    if (refreshes && request.url.endsWith("/users/auth/refresh")) {
      return { status: 200, body: { ...tokens, accessToken: "access 2" } }
    }
    return isIncrement(request) ? answer(request) : { status: 404 }
  }
  const player = new Player({ url, environment })
  await player.signIn("ada@example.com", "secret")
  return { environment, player }
}

describe("Player.signIn", () => {
  it("sends exactly e-mail and password, and shows the e-mail but not the tokens", async () => {
    const { environment, player } = await signedIn(() => counted)
    const [request] = environment.requests
    assert.strictEqual(request?.url, `${url}/users/auth/login`)
    assert.deepStrictEqual(JSON.parse(request?.body ?? ""), { email: "ada@example.com", password: "secret" })
    assert.strictEqual(player.view.email, "ada@example.com")
    assert.notInclude(JSON.stringify({ player, view: player.view }), "access")
  })

  it.each([
    [{ status: 401 }, { kind: "wrong" }],
    [
      { status: 429, headers: { "retry-after": "12" } },
      { kind: "limited", retryAfterSeconds: 12 },
    ],
    [
      { status: 503, headers: { "retry-after": "2" } },
      { kind: "unavailable", retryAfterSeconds: 2 },
    ],
    [{ status: 429 }, { kind: "limited", retryAfterSeconds: 5 }],
    [{ status: 400 }, { kind: "refused", status: 400 }],
    [{ status: 502 }, { kind: "unanswered" }],
    [undefined, { kind: "unanswered" }],
  ] as const)("answers %j with %j and stays signed out", async (answer, outcome) => {
    const environment = new FakeEnvironment()
    environment.answer = () => answer
    const player = new Player({ url, environment })
    assert.deepStrictEqual(await player.signIn("ada@example.com", "wrong"), outcome)
    assert.isUndefined(player.view.email)
    assert.isFalse(player.press())
  })
})

describe("Player.press", () => {
  it("shows the press at once and counts it when the server has", async () => {
    const { environment, player } = await signedIn(() => counted)
    assert.isTrue(player.press())
    assert.deepInclude(player.view, { pending: 1, counted: 0 })
    await environment.settle()
    assert.deepInclude(player.view, { pending: 0, counted: 1, problem: undefined })
    assert.strictEqual(environment.requests.at(-1)?.headers?.["Authorization"], "Bearer access")
  })

  it("sends a different key with every press, a UUID", async () => {
    const { environment, player } = await signedIn(() => counted)
    for (let press = 0; press < 5; press++) player.press()
    await environment.settle()
    assert.strictEqual(new Set(keys(environment)).size, 5)
    for (const key of keys(environment)) {
      assert.match(key ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })

  it("repeats with the same key after no answer and after a 503, and shows that it retries", async () => {
    const answers = [undefined, { status: 503, headers: { "retry-after": "1" } }, counted]
    const { environment, player } = await signedIn(() => answers.shift())
    player.press()
    await environment.settle()
    assert.deepInclude(player.view, { pending: 1, retrying: true })
    await environment.advance(10_000)
    assert.deepInclude(player.view, { pending: 0, counted: 1, retrying: false })
    assert.strictEqual(keys(environment).length, 3)
    assert.strictEqual(new Set(keys(environment)).size, 1)
  })

  it("gives up after five attempts without an answer, and reports the outcome as unknown", async () => {
    const { environment, player } = await signedIn(() => undefined)
    player.press()
    await environment.advance(60_000)
    assert.strictEqual(keys(environment).length, 5)
    assert.deepInclude(player.view, { pending: 0, counted: 0, problem: { kind: "unanswered" } })
  })

  it("does not repeat a 429, and refuses presses until Retry-After is over", async () => {
    const { environment, player } = await signedIn(() => ({ status: 429, headers: { "retry-after": "3" } }))
    player.press()
    await environment.settle()
    assert.strictEqual(keys(environment).length, 1)
    assert.deepInclude(player.view, { pending: 0, blockedUntil: environment.time + 3_000 })
    assert.isFalse(player.press())
    await environment.advance(3_000)
    assert.isTrue(player.press())
  })

  it.each([
    ["no answer", [undefined, { status: 429 }], "limited"],
    ["a 503", [{ status: 503, headers: { "retry-after": "1" } }, { status: 429 }], "limited"],
    ["no answer before the refresh", [undefined, { status: 401 }, { status: 429 }], "limited"],
    ["no answer", [undefined, { status: 403 }], "refused"],
    ["no answer at all", [], "unanswered"],
    ["a long 503", [{ status: 503, headers: { "retry-after": "60" } }], "unavailable"],
  ] as const)("says that the press may have counted after %s: %j", async (_, given, kind) => {
    const answers: Array<FakeAnswer | undefined> = [...given]
    const { environment, player } = await signedIn(() => answers.shift(), true)
    player.press()
    await environment.advance(60_000)
    assert.deepInclude(player.view, { pending: 0, mayHaveCounted: true })
    assert.strictEqual(player.view.problem?.kind, kind)
    assert.strictEqual(new Set(keys(environment)).size, 1)
  })

  it.each([
    ["the address is not verified", "urn:scoreboard:unverified-email", "unverifiedEmail"],
    ["it brings no receipt", "urn:scoreboard:invalid-receipt", "receiptRequired"],
  ] as const)("says so if the server refuses a press because %s", async (_, type, cause) => {
    const body = { type, status: 403 }
    const { environment, player } = await signedIn(() => ({ status: 403, body }))
    player.press()
    await environment.settle()
    assert.deepStrictEqual(player.view.problem, { kind: "refused", status: 403, cause })
  })

  it.each([429, 403])("says that the press has not counted if the first answer is a %j", async (status) => {
    const { environment, player } = await signedIn(() => ({ status }))
    player.press()
    await environment.settle()
    assert.deepInclude(player.view, { pending: 0, mayHaveCounted: false })
    assert.isDefined(player.view.problem)
  })

  it("forgets with the next press that an earlier one may have counted", async () => {
    const answers = [undefined, { status: 429, headers: { "retry-after": "0" } }, counted]
    const { environment, player } = await signedIn(() => answers.shift())
    player.press()
    await environment.advance(10_000)
    assert.isTrue(player.view.mayHaveCounted)
    player.press()
    assert.isFalse(player.view.mayHaveCounted)
    await environment.settle()
    assert.deepInclude(player.view, { problem: undefined, mayHaveCounted: false })
  })

  it("reports a long 503 instead of waiting", async () => {
    const { environment, player } = await signedIn(() => ({ status: 503, headers: { "retry-after": "60" } }))
    player.press()
    await environment.settle()
    assert.deepInclude(player.view, {
      pending: 0,
      problem: { kind: "unavailable", retryAfterSeconds: 60 },
      blockedUntil: environment.time + 60_000,
    })
  })

  it("signs out on a 401 when the refresh fails, and says why", async () => {
    const { environment, player } = await signedIn(() => ({ status: 401 }))
    player.press()
    player.press()
    await environment.settle()
    assert.deepInclude(player.view, { email: undefined, expired: true, pending: 0 })
    assert.isFalse(player.press())
  })

  it("does not repeat a refusal", async () => {
    const { environment, player } = await signedIn(() => ({ status: 403 }))
    player.press()
    await environment.advance(60_000)
    assert.strictEqual(keys(environment).length, 1)
    assert.deepStrictEqual(player.view.problem, { kind: "refused", status: 403 })
  })

  it("refuses more than 20 pending presses", async () => {
    const { environment, player } = await signedIn(() => new Promise(() => {}))
    const accepted = Array.from({ length: 25 }, () => player.press()).filter(Boolean)
    assert.strictEqual(accepted.length, 20)
    player.signOut()
    await environment.settle()
    assert.strictEqual(environment.timers.size, 0)
  })
})

describe("Player.signOut", () => {
  it("drops pending presses, including one that waits for its retry", async () => {
    const { environment, player } = await signedIn(() => undefined)
    player.press()
    await environment.settle()
    player.signOut()
    await environment.advance(60_000)
    assert.deepInclude(player.view, { email: undefined, expired: false, pending: 0, problem: undefined })
    assert.strictEqual(keys(environment).length, 1)
    assert.strictEqual(environment.timers.size, 0)
  })
})
