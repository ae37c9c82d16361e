import { assert, describe, it } from "@effect/vitest"
import type { BoardPlace } from "../../../src/client/StandingRequest.ts"
import { BOARD_SIZE } from "../../../src/domain/Score.ts"
import { type OwnPlace, ownPlace, type Viewer } from "../../../web/src/board/ownPlace.ts"

type Row = readonly [email: string, score: number]
const board = (...places: ReadonlyArray<Row>) => ({
  scores: places.map(([email, score]) => ({ email, score })),
  stamp: undefined,
})
const stamped = (version: number, ...places: ReadonlyArray<Row>) => ({
  ...board(...places),
  stamp: { epoch: "e", version },
})
const ada = (score?: number): Viewer => ({ email: "ada@example.com", score, place: undefined })
const at = (place: number | undefined, version: number, epoch = "e"): BoardPlace => ({
  place,
  stamp: { epoch, version },
})
const SAME = "same@example.com"
const rowOf = (...call: Parameters<typeof ownPlace>) => ownPlace(...call).at

describe("ownPlace", () => {
  describe("of a server that gives a place", () => {
    const viewer = (place: BoardPlace): Viewer => ({ email: SAME, score: 5, place })

    it("is that row on the board with the same stamp, whatever its address", () => {
      const shown = stamped(7, [SAME, 9], ["ada@example.com", 5], [SAME, 5])
      assert.strictEqual(rowOf(shown, viewer(at(3, 7)), undefined), 2)
      assert.strictEqual(rowOf(shown, viewer(at(2, 7)), undefined), 1)
      assert.strictEqual(rowOf(shown, viewer(at(undefined, 7)), undefined), -1)
    })

    it("is unknown on a board with another stamp or none, if nothing proves it", () => {
      const rows: ReadonlyArray<Row> = [[SAME, 9]]
      for (const place of [at(1, 6), at(1, 8), at(1, 7, "other"), at(undefined, 6), at(2, 7)]) {
        assert.isUndefined(rowOf(stamped(7, ...rows), viewer(place), undefined))
      }
      assert.isUndefined(rowOf(board(...rows), viewer(at(1, 7)), undefined))
    })

    it("follows a player with a unique address to later boards, and only to those", () => {
      const { proof } = ownPlace(stamped(7, ["b@x", 9], [SAME, 5]), viewer(at(2, 7)), undefined)
      const later = (version: number, ...rows: ReadonlyArray<Row>) =>
        rowOf(stamped(version, ...rows), viewer(at(2, 7)), proof)
      assert.strictEqual(later(8, [SAME, 10], ["b@x", 9]), 0)
      assert.strictEqual(later(8, [SAME, 5]), 0)
      assert.isUndefined(later(6, [SAME, 5]))
      assert.isUndefined(later(8, [SAME, 10], [SAME, 9]))
      assert.isUndefined(later(8, ["b@x", 9]))
      const nine = Array.from({ length: 9 }, (_, n): Row => [`${n}@x`, 6])
      assert.isUndefined(later(8, [SAME, 7], ...nine))
      assert.strictEqual(later(8, ...nine, [SAME, 5]), 9)
    })

    it("no longer follows once the server says that the player left the board", () => {
      const { proof } = ownPlace(stamped(7, [SAME, 5]), viewer(at(1, 7)), undefined)
      assert.strictEqual(rowOf(stamped(8, [SAME, 5]), viewer(at(1, 7)), proof), 0)
      assert.isUndefined(rowOf(stamped(9, [SAME, 5]), viewer(at(undefined, 8)), proof))
      assert.isUndefined(
        rowOf(stamped(9, [SAME, 5]), { ...viewer(at(1, 7)), email: "other@example.com" }, proof),
      )
    })

    it.each([1, 2, 3, 4, 5, 6])("is never a wrong row, whatever happens (seed %i)", (seed) => {
      let state = seed
      const number = (limit: number) => (state = (state * 48_271) % 2_147_483_647) % limit
      for (let game = 0; game < 300; game++) {
        const seen = playGame(number)
        assert.deepStrictEqual(
          seen.filter(({ found, truth }) => found !== undefined && found !== truth),
          [],
        )
      }
    })

    it("is nearly always known if no other player has the address", () => {
      let state = 1
      const number = (limit: number) => (state = (state * 48_271) % 2_147_483_647) % limit
      const seen = Array.from({ length: 300 }, () => playGame(number, 1)).flat()
      const onBoard = seen.filter(({ truth }) => truth !== -1)
      assert.isAbove(onBoard.filter(({ found }) => found !== undefined).length / onBoard.length, 0.7)
    })
  })

  describe("of a server that gives no place", () => {
    it("finds the address in upper or lower case, and no row for anyone else", () => {
      const scores = board(["bob@example.com", 9], ["Ada@Example.com", 5])
      assert.strictEqual(rowOf(scores, ada(5), undefined), 1)
      assert.strictEqual(rowOf(scores, { ...ada(9), email: "cy@example.com" }, undefined), -1)
      assert.isUndefined(rowOf(scores, undefined, undefined))
    })

    it("finds no row before the first answer, and none if several have the address", () => {
      assert.isUndefined(rowOf(board(["ada@example.com", 5]), ada(), undefined))
      const twice = board(["ada@example.com", 9], ["ada@example.com", 5])
      assert.isUndefined(rowOf(twice, ada(5), undefined))
    })

    it("tells players with the same masked address apart by their scores, which may differ by a few presses", () => {
      const scores = board(
        ["a\u2026a@example.com", 90],
        ["b\u2026b@example.com", 60],
        ["a\u2026a@example.com", 50],
      )
      assert.strictEqual(rowOf(scores, ada(90), undefined), 0)
      assert.strictEqual(rowOf(scores, ada(53), undefined), 2)
      assert.strictEqual(rowOf(scores, ada(20), undefined), -1)
      assert.isUndefined(rowOf(scores, ada(), undefined))
    })

    it("is not the row of a player without an address, whose whole name is a mask", () => {
      assert.strictEqual(rowOf(board(["b@x", 9], ["…", 5]), ada(5), undefined), -1)
      assert.strictEqual(rowOf(board(["…", 5], ["a…a@example.com", 4]), ada(5), undefined), 1)
    })

    it("does not match a mask that shows more characters than the address has", () => {
      const viewer = { ...ada(5), email: "a@x" }
      assert.strictEqual(rowOf(board(["a\u2026a@x", 5]), viewer, undefined), -1)
    })
  })
})

/** Fourteen players, the first of whom looks at the board, score at random. Gives what the viewer and the truth say. */
const playGame = (number: (limit: number) => number, sharing = 3) => {
  const players = Array.from({ length: 14 }, (_, id) => ({
    id,
    email: id < sharing ? SAME : `${id}@x`,
    score: number(4),
    reached: id,
  }))
  const seen: Array<{ readonly found: number | undefined; readonly truth: number }> = []
  let place = at(undefined, -1)
  let proof: OwnPlace["proof"]
  let version = 0
  for (let turn = 0; turn < 40; turn++) {
    for (let change = number(4); change > 0; change--) {
      const player = players[number(players.length)]
      if (player) Object.assign(player, { score: player.score + 1, reached: 100 + ++version })
    }
    const top = players
      .filter(({ score }) => score > 0)
      .toSorted((a, b) => b.score - a.score || a.reached - b.reached)
      .slice(0, BOARD_SIZE)
    const truth = top.findIndex(({ id }) => id === 0)
    if (number(2) === 0) place = at(truth === -1 ? undefined : truth + 1, version)
    if (number(3) === 0) continue
    const shown = stamped(version, ...top.map(({ email, score }): Row => [email, score]))
    const viewer = { email: "name@example.com", score: players[0]?.score, place }
    const own = ownPlace(shown, viewer, proof)
    proof = own.proof
    seen.push({ found: own.at, truth })
  }
  return seen
}
