import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ROOT } from "../support/engines/embeddedPostgres.ts"
import { request, until } from "../support/fixtures.ts"
import type { Engines, Member } from "./upgradeFixtures.ts"
import type { Player } from "./upgradeLoad.ts"

/** The smallest change after which a release that does not know of large changes may refuse to tell ranks. */
const LARGE = 10_001

/** A process, and the folder of its code. */
export interface Side {
  readonly folder: string
  readonly api: Member
}

const Row = Schema.Struct({ rank: Schema.Int, email: Schema.String, score: Schema.Int })

/** What both releases tell a player; a later one may tell more. */
const RANKS = {
  "/scores/me": Schema.Struct({
    rank: Schema.NullOr(Schema.Int),
    score: Schema.Int,
    players: Schema.Int,
    above: Schema.Array(Row),
    below: Schema.Array(Row),
  }),
  "/scores/page": Schema.Struct({ scores: Schema.Array(Row) }),
}

/** Every player gets the same ranks from both, and both find them right when they count anew. */
export const agreeOnRanks = Effect.fnUntraced(function* (
  { admin }: Engines,
  sides: readonly [Side, Side],
  players: Iterable<Player>,
) {
  for (const { token } of players) {
    for (const [path, told] of Object.entries(RANKS)) {
      const decode = Schema.decodeUnknownSync(Schema.fromJsonString(told as Schema.Codec<unknown>))
      const answers = Effect.forEach(sides, ({ api }) =>
        Effect.map(
          request(api.url + path, { headers: { authorization: `Bearer ${token}` } }),
          ({ body, status }) => (status === 200 ? JSON.stringify(decode(body)) : `${status} ${body}`),
        ),
      )
      // A page may be a second old.
      yield* until(
        `both agree on ${path}`,
        answers,
        ([one, other]) => one === other && (one?.startsWith("{") ?? false),
      )
    }
  }
  for (const { folder } of sides) {
    const { code, output } = yield* admin(folder, "ranks", "verify")
    assert.strictEqual(code, 0, output)
  }
})

const statusesOf = ({ api }: Side, { token }: Player, ...paths: ReadonlyArray<string>) =>
  Effect.forEach(paths, (path) =>
    Effect.map(
      request(api.url + path, { headers: { authorization: `Bearer ${token}` } }),
      ({ status }) => status,
    ),
  )

/**
 * A change of many points, where the present code can make one: a release that would tell wrong ranks after it tells none
 * and serves the rest. While no release can make one, the command says so, and nothing changes.
 */
export const changeMuch = Effect.fnUntraced(function* (
  { admin }: Engines,
  [old, present]: readonly [Side, Side],
  player: Player,
) {
  const change = ["correct", player.userId, `--amount=${LARGE}`, "--reason", "shows what a large change does"]
  const { code, output } = yield* admin(ROOT, ...change)
  if (code !== 0) assert.include(output, "amount")
  const paths = Object.keys(RANKS)
  assert.deepStrictEqual(yield* statusesOf(present, player, ...paths), [200, 200])
  assert.deepStrictEqual(yield* statusesOf(old, player, ...paths), code === 0 ? [503, 503] : [200, 200])
  assert.deepStrictEqual(yield* statusesOf(old, player, "/scores", "/users/me/history"), [200, 200])
})

const post = ({ api }: Side, { token }: Player, path: string, body = "") =>
  Effect.map(
    request(api.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body,
    }),
    ({ status }) => status,
  )

/** What an operator or a player ends at one of them is ended at the other. */
export const agreeOnEnds = Effect.fnUntraced(function* (
  { admin }: Engines,
  [old, present]: readonly [Side, Side],
  players: Iterable<Player>,
) {
  const [hidden, first, second] = [...players]
  if (hidden === undefined || first === undefined || second === undefined)
    return assert.fail("too few players")
  /** The answers of both to an increment of a player. */
  const both = (player: Player) =>
    Effect.all([post(old, player, "/scores/increment"), post(present, player, "/scores/increment")])
  for (const [folder, command, status] of [
    [present.folder, "hide", 403],
    [old.folder, "restore", 200],
    [old.folder, "hide", 403],
    [present.folder, "restore", 200],
  ] as const) {
    const { code, output } = yield* admin(folder, command, hidden.userId, "--reason", "shows that both obey")
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(yield* both(hidden), [status, status])
  }
  // Whether a logout needs a refresh token of the sign-in differs between releases; that it ends the sign-in does not.
  const logout = (side: Side, player: Player) =>
    post(side, player, "/users/auth/logout", JSON.stringify({ refreshToken: "none" }))
  yield* logout(old, first)
  assert.deepStrictEqual(yield* both(first), [401, 401])
  yield* logout(present, second)
  assert.deepStrictEqual(yield* both(second), [401, 401])
})
