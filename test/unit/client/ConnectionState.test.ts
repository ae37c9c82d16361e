import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  type ConnectionEvent,
  type ConnectionState,
  liveStateOf,
  type Needs,
  needsOf,
  transition,
  UNSTARTED,
} from "../../../src/client/ConnectionState.ts"

const page = (isOnline: boolean, isHidden: boolean, polls = true): ConnectionEvent => ({
  kind: "page",
  isOnline,
  isHidden,
  polls,
})

/** Every event, by the name under which a test refers to it. */
const EVENTS = {
  seen: page(true, false),
  hidden: page(true, true),
  offline: page(false, false),
  offlineHidden: page(false, true),
  news: { kind: "board", isNews: true },
  oldBoard: { kind: "board", isNews: false },
  socketEnded: { kind: "socketEnded" },
  pollAnswered: { kind: "pollAnswered" },
  pollMissed: { kind: "pollMissed" },
  pollStale: { kind: "pollStale" },
  redialDue: { kind: "redialDue" },
  pauseDue: { kind: "pauseDue" },
  closed: { kind: "closed" },
} as const satisfies Record<string, ConnectionEvent>

type Name = keyof typeof EVENTS
const NAMES: ReadonlyArray<Name> = [
  "seen",
  "hidden",
  "offline",
  "offlineHidden",
  "news",
  "oldBoard",
  "socketEnded",
  "pollAnswered",
  "pollMissed",
  "pollStale",
  "redialDue",
  "pauseDue",
]

/** A step of a test: an event, or a number of ms that pass. */
type Step = Name | number

/** The state after some steps, which start at 0 ms. Every random wait has its upper bound. */
const after = (...steps: ReadonlyArray<Step>): ConnectionState => {
  let now = 0
  let state = UNSTARTED
  for (const step of steps) {
    if (typeof step === "number") now += step
    else state = transition(state, EVENTS[step], { now, chance: 1 })
  }
  return state
}

const nothing: Needs = { socket: false, poller: false, redialAt: false, pauseAt: false }
const said = (state: ConnectionState) => (state.kind === "closed" ? "closed" : liveStateOf(state))

describe("A connection", () => {
  describe("starts", () => {
    it("with a socket, and with a poller only when asked to", () => {
      assert.deepStrictEqual(needsOf(after("seen")), { ...nothing, socket: true, poller: true })
      const alone = transition(UNSTARTED, page(true, false, false), { now: 0, chance: 0 })
      assert.deepStrictEqual(needsOf(alone), { ...nothing, socket: true })
    })

    it("with nothing while hidden", () => {
      assert.deepStrictEqual(needsOf(after("hidden")), nothing)
      assert.deepStrictEqual(needsOf(after("offlineHidden")), nothing)
      assert.deepStrictEqual(
        [said(after("hidden")), said(after("offlineHidden"))],
        Array(2).fill("connecting"),
      )
    })

    it("in the same way on a device that reports no network", () => {
      assert.deepStrictEqual(needsOf(after("offline")), { ...nothing, socket: true, poller: true })
      assert.strictEqual(said(after("offline")), "connecting")
    })
  })

  describe("says", () => {
    it.each<[string, ReadonlyArray<Step>]>([
      ["connecting", ["seen", "pollAnswered"]],
      ["live", ["seen", "oldBoard"]],
      ["reconnecting", ["seen", "socketEnded"]],
      ["polling", ["seen", "socketEnded", "pollAnswered"]],
      ["polling", ["seen", "pollAnswered", "socketEnded", "redialDue"]],
      ["polling", ["seen", "socketEnded", "pollStale"]],
      ["reconnecting", ["seen", "socketEnded", "pollAnswered", "pollMissed"]],
      ["reconnecting", ["seen", "news", "hidden", "pauseDue"]],
      ["connecting", ["hidden", "offline", "seen"]],
      ["reconnecting", ["seen", "offline", "hidden"]],
      ["reconnecting", ["seen", "hidden", "pauseDue", "offlineHidden"]],
      ["reconnecting", ["seen", "news", "offline"]],
      ["offline", ["offline", "pollMissed"]],
      ["reconnecting", ["offline", "socketEnded"]],
      ["offline", ["offline", "socketEnded", "pollMissed"]],
      ["offline", ["seen", "news", "offline", "pollMissed", "redialDue"]],
      ["offline", ["seen", "news", "offline", "pollMissed", "redialDue", "socketEnded"]],
      ["live", ["offline", "socketEnded", "redialDue", "oldBoard"]],
      ["live", ["seen", "offline", "pollMissed", "redialDue", "news"]],
      ["polling", ["seen", "news", "offline", "redialDue", "socketEnded", "pollAnswered"]],
      ["offline", ["seen", "offline", "socketEnded", "pollAnswered", "pollMissed"]],
      ["live", ["offline", "news", "seen"]],
      ["reconnecting", ["offline", "pollMissed", "socketEnded", "seen"]],
    ])("%s after %j", (state, steps) => {
      assert.strictEqual(said(after(...steps)), state)
    })
  })

  describe("whose socket ends", () => {
    const lost = (...steps: ReadonlyArray<Step>) => needsOf(after("seen", ...steps, "socketEnded"))

    it("waits longer after each attempt without a stable connection", () => {
      const twice = ["socketEnded", "redialDue", "socketEnded", "redialDue"] as const
      assert.strictEqual(lost().redialAt, 1_000)
      assert.strictEqual(lost(...twice).redialAt, 4_000)
      assert.strictEqual(lost(...twice, "news", 4_999).redialAt, 4_999 + 4_000)
      assert.strictEqual(lost(...twice, "oldBoard", 60_000).redialAt, 60_000 + 4_000)
      assert.strictEqual(lost(...twice, "oldBoard", 60_000, "news").redialAt, 61_000)
      assert.strictEqual(lost(...twice, "news", 5_000).redialAt, 6_000)
    })

    it("starts the backoff over when it was offline or paused in between", () => {
      const failed = ["socketEnded", "redialDue", "socketEnded"] as const
      assert.strictEqual(lost(...failed, "offline", "seen").redialAt, 1_000)
      assert.strictEqual(lost(...failed, "hidden", "pauseDue", "seen").redialAt, 1_000)
    })

    it("polls after a refused attempt, but not after a lost connection", () => {
      assert.isFalse(lost("news").poller)
      assert.isTrue(lost("news", "socketEnded", "redialDue").poller)
    })
  })

  describe("that polls", () => {
    it("dials within 0.3 s when a poll is answered after a miss, and at no other answer", () => {
      const waiting: ReadonlyArray<Step> = ["seen", "socketEnded", "redialDue", "socketEnded"]
      const redialAt = (...steps: ReadonlyArray<Step>) => needsOf(after(...waiting, ...steps)).redialAt
      assert.strictEqual(redialAt(), 2_000)
      assert.strictEqual(redialAt("pollAnswered"), 2_000)
      assert.strictEqual(redialAt("pollMissed", 500, "pollAnswered"), 800)
      assert.strictEqual(redialAt("pollMissed", 500, "pollStale"), 2_000)
      assert.strictEqual(redialAt("pollStale", 500, "pollAnswered"), 800)
      assert.strictEqual(redialAt("pollAnswered", 500, "pollStale"), 2_000)
      assert.strictEqual(redialAt("pollMissed", 500, "pollAnswered", 200, "pollAnswered"), 800)
    })

    it("keeps the dial that is under way when a poll is answered again", () => {
      const state = after("seen", "socketEnded", "pollMissed", "redialDue", "pollAnswered")
      assert.deepStrictEqual(needsOf(state), { ...nothing, socket: true, poller: true })
    })

    it("dials once more within 0.3 s when a dial fails during which a current board came again", () => {
      const dialing: ReadonlyArray<Step> = ["seen", "socketEnded", "pollStale", "redialDue", "pollAnswered"]
      assert.strictEqual(needsOf(after(...dialing, 500, "socketEnded")).redialAt, 800)
      const again = after(...dialing, 500, "socketEnded", 300, "redialDue", "pollAnswered", "socketEnded")
      assert.strictEqual(needsOf(again).redialAt, 800 + 4_000)
    })

    it("stops polling at the first board", () => {
      assert.deepStrictEqual(needsOf(after("seen", "socketEnded", "redialDue", "oldBoard")), {
        ...nothing,
        socket: true,
      })
    })
  })

  describe("on a device that reports no network", () => {
    it("drops its socket, and checks the report at once with another socket and a poll", () => {
      const state = after("seen", "news", 700, "offline")
      assert.deepStrictEqual(needsOf(state), { ...nothing, poller: true, redialAt: 700 })
      assert.deepStrictEqual(needsOf(after("seen", "news", 700, "offline", "redialDue")), {
        ...nothing,
        socket: true,
        poller: true,
      })
    })

    it("drops a socket once for each report, and none when the network returns", () => {
      assert.deepStrictEqual(needsOf(after("offline", "news", "offline")), { ...nothing, socket: true })
      assert.deepStrictEqual(needsOf(after("offline", "news", "seen")), { ...nothing, socket: true })
    })

    it("waits longer after each failed attempt, and dials at once when the network returns", () => {
      const failed: ReadonlyArray<Step> = ["offline", "socketEnded", "redialDue", "socketEnded"]
      assert.strictEqual(needsOf(after(...failed)).redialAt, 2_000)
      assert.deepStrictEqual(needsOf(after(...failed, "seen")), { ...nothing, socket: true, poller: true })
    })
  })

  describe("in a hidden tab", () => {
    it("pauses 10 s after the last sign that the tab is hidden, whatever the socket does", () => {
      const steps = ["seen", "news", "hidden", 4_000, "socketEnded", "redialDue", "news"] as const
      assert.strictEqual(needsOf(after(...steps)).pauseAt, 10_000)
      assert.strictEqual(needsOf(after(...steps, "hidden")).pauseAt, 14_000)
      assert.strictEqual(needsOf(after(...steps, "seen")).pauseAt, false)
    })

    it("stays paused when the network leaves and returns", () => {
      const state = after("seen", "hidden", "pauseDue", "offlineHidden", "hidden")
      assert.deepStrictEqual(needsOf(state), nothing)
      assert.deepStrictEqual(needsOf(transition(state, EVENTS.seen, { now: 0, chance: 0 })), {
        ...nothing,
        socket: true,
        poller: true,
      })
    })
  })

  const Steps = Schema.Array(Schema.Literals(NAMES)).check(Schema.isMinLength(20), Schema.isMaxLength(60))

  it.effect.prop(
    "has a socket or a wait for the next while it runs, and otherwise nothing",
    [Steps],
    ([steps]) =>
      Effect.sync(() => {
        for (const [count] of steps.entries()) {
          const state = after(...steps.slice(0, count + 1))
          const { socket, poller, redialAt, pauseAt } = needsOf(state)
          if (state.kind === "running") assert.strictEqual(socket, redialAt === false)
          else assert.deepStrictEqual({ socket, poller, redialAt, pauseAt }, nothing)
          assert.isFalse(poller && said(state) === "live")
          if (said(state) === "offline") assert.isTrue(poller || socket || redialAt !== false)
        }
      }),
  )

  it.effect.prop("needs nothing once closed, whatever comes before and after", [Steps, Steps], (steps) =>
    Effect.sync(() => {
      const [before, later] = steps
      assert.deepStrictEqual(after(...before, "closed", ...later), { kind: "closed" })
      assert.deepStrictEqual(needsOf(after(...before, "closed", ...later)), nothing)
    }),
  )
})
