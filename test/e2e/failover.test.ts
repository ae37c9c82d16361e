import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { parseStampedBoard } from "../../src/client/BoardGuard.ts"
import { versionsAhead } from "../../src/domain/NewerBoard.ts"
import * as PostgresPair from "../support/engines/PostgresPair.ts"
import { openViewer, request, until } from "../support/fixtures.ts"
import { Engines, increment, signIn, startApi, startWorker, untilReadiness } from "./fixtures.ts"

/** Moves the address as a router does that lets nobody stay on the server before. */
const moveAddress = (pair: PostgresPair.PostgresPair, to: PostgresPair.PostgresNode) =>
  Effect.gen(function* () {
    yield* pair.address.refuse
    yield* pair.address.retarget(to.port)
    yield* pair.address.forward
  })

/** A player who presses all the time; counts the presses that were answered 200, and ends with the scope. */
const presses = Effect.fnUntraced(function* (api: string, token: string) {
  const count = { answered: 0 }
  yield* increment(api, token).pipe(
    Effect.tap(({ status }) => Effect.sync(() => (count.answered += status === 200 ? 1 : 0))),
    Effect.andThen(Effect.sleep("20 millis")),
    Effect.forever,
    Effect.forkScoped,
  )
  return Effect.sync(() => count.answered)
})

const boardOf = (frame: string) => {
  const board = parseStampedBoard(frame)
  assert.isDefined(board?.stamp, frame)
  return board
}
const scoreIn = (frame: string) => boardOf(frame)?.scores[0]?.score ?? 0
const stampIn = (frame: string) => boardOf(frame)?.stamp

it.live("counts on and shows no older board after a failover that lost commits", () =>
  Effect.gen(function* () {
    const [{ cognito, env }, pair] = yield* Effect.all([Engines.make({ users: 2 }), PostgresPair.make], {
      concurrency: 2,
    })
    const moving = { ...env, DATABASE_URL: Redacted.value(pair.url) }
    const staying = { ...env, DATABASE_URL: Redacted.value(pair.first.url) }
    const api = yield* startApi(moving)
    const [worker, left] = yield* Effect.all([startWorker(moving), startApi(staying)], { concurrency: 2 })
    const token = yield* signIn(api.url, cognito.users[0])
    const tokenLeft = yield* signIn(left.url, cognito.users[1] ?? cognito.users[0])
    const viewers = [
      yield* openViewer(`${api.url}/scores/websocket?stamped`),
      yield* openViewer(`${left.url}/scores/websocket?stamped`),
    ] as const
    yield* pair.caughtUp
    const answered = yield* presses(api.url, token)
    yield* until("presses count", answered, (count) => count > 5)

    // The standby falls behind, and is promoted without what it lacks. The old primary does not know of it.
    yield* pair.second.link.refuse
    const before = yield* answered
    yield* until("more presses count", answered, (count) => count > before + 20)
    yield* Effect.forEach(viewers, (viewer) => viewer.until((frame) => scoreIn(frame) > before + 20))
    yield* pair.second.promote
    yield* moveAddress(pair, pair.second)
    const moved = yield* answered
    yield* until("presses count again", answered, (count) => count > moved + 5)

    // Who was left behind goes on, on its own; what it commits is seen by nobody.
    for (let n = 0; n < 5; n++) assert.strictEqual((yield* increment(left.url, tokenLeft)).status, 200)
    const onNewTimeline = (frame: string) => (stampIn(frame)?.version ?? 0) >= 2_000_000_000
    yield* Effect.forEach(viewers, (viewer) => viewer.until(onNewTimeline))
    const then = viewers.map(({ frames }) => scoreIn(frames.at(-1) ?? ""))
    yield* Effect.forEach(viewers, (viewer, n) =>
      viewer.until((frame) => scoreIn(frame) > (then[n] ?? 0) + 5),
    )
    for (const { frames } of viewers) {
      const stamps = frames.map(stampIn)
      const steps = stamps.slice(1).map((stamp, n) => versionsAhead(stamp, stamps[n]) ?? -1)
      assert.isEmpty(steps.filter((step) => step < 0))
    }

    // The old primary comes back as a standby, and the address leads to it for a while.
    yield* left.process.stop
    yield* pair.first.rejoin
    yield* moveAddress(pair, pair.first)
    yield* untilReadiness(api.management, "200 degraded without postgresql")
    yield* untilReadiness(worker.management, "503 unavailable without postgresql")
    assert.strictEqual((yield* increment(api.url, token)).status, 503)
    assert.strictEqual((yield* request(`${api.url}/scores`)).status, 200)
    // Connections to the standby stay open.
    yield* pair.address.retarget(pair.second.port)
    const again = yield* answered
    yield* until("presses count once more", answered, (count) => count > again + 5)
    yield* untilReadiness(api.management, "200 ready")
    yield* untilReadiness(worker.management, "200 ready")
  }),
)
