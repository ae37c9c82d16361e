import { assert, describe, it } from "@effect/vitest"
import { Player } from "../../../src/client/Player.ts"
import { type FakeAnswer, FakeEnvironment } from "./environmentFixtures.ts"

const url = "https://board.example"
const rank = { rank: 4_213, players: 1_200_000, percentile: 0.351 }

/** A signed-in player. The server counts increments and answers reads of score and rank. */
const signedIn = async (options: { readonly hasRanks?: boolean; readonly score?: number } = {}) => {
  const environment = new FakeEnvironment()
  const server = {
    score: options.score ?? 7,
    /** The answer to an increment that was counted. */
    increment: (): FakeAnswer | undefined | Promise<FakeAnswer> => ({ status: 200 }),
    /** The answer to a read, given the correct answer. */
    standing: (honest: FakeAnswer): FakeAnswer | undefined | Promise<FakeAnswer> => honest,
  }
  environment.answer = (request) => {
    const { pathname, search } = new URL(request.url)
    if (pathname === "/users/auth/login") {
      return { status: 200, body: { accessToken: "access", refreshToken: "refresh" } }
    }
    if (pathname === "/scores/increment") {
      server.score++
      return server.increment()
    }
    if (pathname === "/scores/me" && options.hasRanks !== false) {
      return server.standing({ status: 200, body: { ...rank, score: server.score, above: [], below: [] } })
    }
    if (pathname + search === "/users/me/history?limit=1") {
      return server.standing({ status: 200, body: { score: server.score, entries: [], next: null } })
    }
    return { status: 404 }
  }
  const player = new Player({ url, environment })
  await player.signIn("ada@example.com", "secret")
  const reads = () => environment.requests.filter((request) => request.url.endsWith("/scores/me"))
  return { environment, player, server, reads }
}

describe("Player: the own score", () => {
  it("is read after the sign-in, with the rank among all players", async () => {
    const { environment, player, reads } = await signedIn()
    assert.isUndefined(player.view.score)
    await environment.advance(0)
    assert.deepInclude(player.view, { score: 7, rank })
    assert.strictEqual(reads()[0]?.headers?.["Authorization"], "Bearer access")
  })

  it("comes with the place on the board, which an answer of an older server does not change", async () => {
    const { environment, player, server } = await signedIn()
    const answer = (more: object) => () => ({ status: 200, body: { ...rank, score: 7, ...more } })
    server.standing = answer({ place: 3, epoch: "e", version: 9 })
    await environment.advance(0)
    const place = { place: 3, stamp: { epoch: "e", version: 9 } }
    assert.deepStrictEqual(player.view.place, place)
    for (const older of [{}, { place: 3 }, { place: 0, epoch: "e", version: 9 }]) {
      server.standing = answer(older)
      player.boardChanged()
      await environment.advance(2_000)
      assert.deepStrictEqual(player.view.place, place)
    }
    server.standing = answer({ place: null, epoch: "e", version: 10 })
    player.boardChanged()
    await environment.advance(2_000)
    assert.deepStrictEqual(player.view.place, { place: undefined, stamp: { epoch: "e", version: 10 } })
  })

  it("is read at once after a change of the board by a player on it", async () => {
    const { environment, player, server, reads } = await signedIn()
    server.standing = () => ({ status: 200, body: { score: 7, place: 3, epoch: "e", version: 9 } })
    await environment.advance(1_500)
    player.boardChanged()
    await environment.advance(0)
    assert.strictEqual(reads().length, 2)
  })

  it("is read at once after a change of the board to one with the player's address", async () => {
    const { environment, player, server, reads } = await signedIn()
    server.standing = () => ({ status: 200, body: { score: 7, place: null, epoch: "e", version: 9 } })
    await environment.advance(1_000)
    player.boardChanged([{ email: "grace@example.com", score: 8 }])
    await environment.advance(0)
    assert.strictEqual(reads().length, 1)
    player.boardChanged([{ email: "ADA@example.com", score: 8 }])
    await environment.advance(0)
    assert.strictEqual(reads().length, 2)
  })

  it("is read the more rarely the more often the board changes, and at once after a press", async () => {
    const { environment, player, reads } = await signedIn()
    environment.chance = 0.5
    const changeBoards = async (seconds: number) => {
      for (let tenth = 0; tenth < 10 * seconds; tenth++) {
        player.boardChanged()
        await environment.advance(100)
      }
    }
    await changeBoards(120)
    const gaps = reads().map(({ at }, n) => at - (reads()[n - 1]?.at ?? at))
    // From a second after the sign-in, each twice as long as the one before, up to half a minute.
    assert.deepStrictEqual(gaps, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])

    const before = reads().length
    player.press()
    await environment.advance(0)
    assert.strictEqual(reads().length, before + 1)

    // The last of many changes is not forgotten, and the first after a quiet minute is soon read.
    await changeBoards(1)
    await environment.advance(45_000)
    assert.strictEqual(reads().length, before + 2)
    await environment.advance(60_000)
    player.boardChanged()
    await environment.advance(2_000)
    assert.strictEqual(reads().length, before + 3)
  })

  it("is read no more often when every answer takes long", async () => {
    const { environment, player, server, reads } = await signedIn()
    environment.chance = 0.5
    server.standing = (honest) =>
      new Promise((resolve) => void environment.after(5_000, () => resolve(honest)))
    for (let tenth = 0; tenth < 1_200; tenth++) {
      player.boardChanged()
      await environment.advance(100)
    }
    assert.isAtMost(reads().length, 8)
  })

  it("is read again soon after the clock was set back", async () => {
    const { environment, player, reads } = await signedIn()
    for (let n = 0; n < 10; n++) {
      player.boardChanged()
      await environment.advance(1_000)
    }
    for (const cause of [() => player.boardChanged(), () => void player.press()]) {
      environment.time -= 300_000
      const before = reads().length
      cause()
      await environment.advance(2_000)
      assert.isAbove(reads().length, before)
    }
  })

  it("is read again after a change of the board during a read", async () => {
    const { environment, player, server, reads } = await signedIn()
    const answered = Promise.withResolvers<FakeAnswer>()
    server.standing = () => answered.promise
    await environment.advance(0)
    player.boardChanged()
    server.standing = (honest) => honest
    server.score = 9
    answered.resolve({ status: 200, body: { ...rank, score: 7 } })
    await environment.advance(2_000)
    assert.strictEqual(reads().length, 2)
    assert.strictEqual(player.view.score, 9)
  })

  it("comes from the history if the server sends no ranks", async () => {
    const { environment, player } = await signedIn({ hasRanks: false })
    await environment.advance(0)
    assert.deepInclude(player.view, { score: 7, rank: undefined })
  })

  it("has no rank for a player without a score or hidden from the board", async () => {
    const { environment, player, server } = await signedIn()
    server.standing = () => ({
      status: 200,
      body: { score: 3, rank: null, players: 9, percentile: null, above: [], below: [] },
    })
    await environment.advance(0)
    assert.deepInclude(player.view, { score: 3, rank: undefined })
  })

  it("grows with every counted press, and is read at most once a second", async () => {
    const { environment, player, reads } = await signedIn()
    await environment.advance(500)
    for (let press = 1; press <= 5; press++) {
      player.press()
      await environment.settle()
      assert.strictEqual(player.view.score, 7 + press)
    }
    assert.strictEqual(reads().length, 1)
    await environment.advance(500)
    assert.strictEqual(reads().length, 2)
    assert.strictEqual(player.view.score, 12)
    await environment.advance(60_000)
    assert.strictEqual(reads().length, 2)
  })

  it("is the server's when another page of the player has scored", async () => {
    const { environment, player, server } = await signedIn()
    await environment.advance(0)
    server.score = 20
    player.boardChanged()
    await environment.advance(2_000)
    assert.strictEqual(player.view.score, 20)
  })

  it("ignores an answer that a press has overtaken, and reads again", async () => {
    const { environment, player, server, reads } = await signedIn()
    await environment.advance(1_000)
    const answered = Promise.withResolvers<FakeAnswer>()
    server.standing = () => answered.promise
    player.boardChanged()
    await environment.advance(1_000)
    player.press()
    await environment.settle()
    assert.strictEqual(player.view.score, 8)
    server.standing = (honest) => honest
    answered.resolve({ status: 200, body: { ...rank, rank: 4_000, score: 7 } })
    await environment.settle()
    assert.deepInclude(player.view, { score: 8, rank: { ...rank, rank: 4_000 } })
    await environment.advance(1_000)
    assert.strictEqual(reads().length, 3)
    assert.deepInclude(player.view, { score: 8, rank })
  })

  it("is corrected by the server when a press was counted but not answered", async () => {
    const { environment, player, server } = await signedIn()
    await environment.advance(0)
    server.increment = () => undefined
    player.press()
    await environment.advance(60_000)
    assert.deepInclude(player.view, { counted: 0, pending: 0, score: server.score })
  })

  it("is corrected by the server when the repeat of a lost press is limited", async () => {
    const { environment, player, server } = await signedIn()
    await environment.advance(0)
    const answers = [undefined, { status: 429, headers: { "retry-after": "1" } }]
    server.increment = () => {
      if (answers.length < 2) server.score--
      return answers.shift()
    }
    player.press()
    await environment.advance(10_000)
    assert.deepInclude(player.view, { counted: 0, pending: 0, score: 8, mayHaveCounted: true })
  })

  it("is read again after longer and longer waits while no answer comes", async () => {
    const { environment, player, server, reads } = await signedIn()
    server.standing = () => undefined
    await environment.advance(60_000)
    const count = reads().length
    assert.isAtLeast(count, 4)
    assert.isAtMost(count, 8)
    server.standing = (honest) => honest
    await environment.advance(60_000)
    assert.strictEqual(player.view.score, 7)
  })

  it("is read again after the wait that a 503 asks for", async () => {
    const { environment, player, server, reads } = await signedIn()
    server.standing = () => ({ status: 503, headers: { "retry-after": "20" } })
    await environment.advance(10_000)
    player.boardChanged()
    await environment.advance(9_000)
    assert.strictEqual(reads().length, 1)
    server.standing = (honest) => honest
    await environment.advance(1_000)
    assert.strictEqual(player.view.score, 7)
  })

  it("leaves nothing running when the player signs out during a read", async () => {
    const { environment, player, server } = await signedIn()
    server.standing = () => new Promise(() => {})
    await environment.advance(0)
    player.signOut()
    await environment.settle()
    environment.assertNothingLeft()
    assert.deepInclude(player.view, { score: undefined, rank: undefined })
  })
})
