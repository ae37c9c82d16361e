import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { openViewer, until } from "../../support/fixtures.ts"
import { ALLOWED, fromNewNetwork, problemOf, World } from "./edgeFixtures.ts"
import { tagOf } from "./originFixtures.ts"

/** What the edge does while its origin is unavailable. */
export const away = (it: Vitest.MethodsNonLive<World>) => {
  it.effect("shows the last board with its age while the origin is away, and refuses the rest with 503", () =>
    Effect.gen(function* () {
      const { origin } = yield* World
      const { ask } = fromNewNetwork()
      yield* ask("/scores")
      for (const status of ["hang up", 502, 530, 403] as const) {
        origin.state.status = status
        if (status === "hang up") yield* Effect.sleep("6200 millis")
        const board = yield* until(
          "a board with its age",
          ask("/scores"),
          ({ headers }) => Number(headers.age) >= 6,
        )
        assert.strictEqual(board.status, 200)
        assert.match(String(board.headers["cache-status"]), /origin-away/)
        if (status === 403) continue
        const press = yield* ask("/scores/increment", { method: "POST", body: "{}" })
        assert.strictEqual(press.status, 503)
        assert.match(String(press.headers["retry-after"]), /^[123]$/)
        problemOf(press)
      }
      const { edge } = yield* World
      origin.state.status = "hang up"
      // The edge then no longer knows that the origin is away, and tries.
      yield* Effect.sleep("1200 millis")
      const refused = yield* Effect.flip(openViewer(`${edge}/scores/websocket`))
      assert.propertyVal(refused, "status", 503)
      origin.state.status = 200
      origin.state.version = 3
      yield* until("the new board", ask("/scores"), ({ body }) => body.includes('"version":3'))
    }),
  )

  it.effect(
    "holds the polls and dials of viewers who have the board until the origin is back, and nobody else's polls",
    () =>
      Effect.gen(function* () {
        const { origin, edge } = yield* World
        const { ask, client } = fromNewNetwork()
        // The board for this page was asked for a while ago, so it is soon old enough.
        const board = (headers: Record<string, string> = {}) =>
          ask("/scores", { headers: { origin: ALLOWED, ...headers } })
        origin.state.status = "hang up"
        const kept = yield* until("an old board", board(), ({ headers }) => Number(headers.age) >= 18)
        const begun = performance.now()
        const { result, arrived } = yield* origin.during(
          Effect.gen(function* () {
            const poll = board({ "if-none-match": String(kept.headers.etag) })
            const polls = yield* Effect.forkChild(Effect.all([poll, poll, poll], { concurrency: 3 }))
            const dial = openViewer(`${edge}/scores/websocket`, {
              "cf-connecting-ip": client,
              origin: ALLOWED,
            })
            const viewer = yield* Effect.forkChild(dial)
            yield* Effect.sleep("1500 millis")
            assert.isUndefined(polls.pollUnsafe(), "a poll was answered while the origin was away")
            for (const newcomer of [yield* board(), yield* board({ "if-none-match": '"other"' })]) {
              assert.strictEqual(newcomer.status, 200)
              assert.match(String(newcomer.headers["cache-status"]), /origin-away/)
            }
            assert.deepStrictEqual(
              origin.arrived.filter(
                ({ method, headers }) => method === "UPGRADE" && headers["x-forwarded-for"] === client,
              ),
              [],
            )
            origin.state.version = 4
            origin.state.status = 200
            yield* (yield* Fiber.join(viewer)).until((frame) => frame === "hello")
            return yield* Fiber.join(polls)
          }),
        )
        assert.isAtMost(arrived.length, 3 + (2 * (performance.now() - begun)) / 1000)
        for (const { status, headers } of result) {
          assert.deepStrictEqual([status, headers.etag], [200, tagOf(4)])
          assert.notMatch(String(headers["cache-status"]), /origin-away/)
          assert.isBelow(Number(headers.age), 18)
        }
      }),
  )
}
