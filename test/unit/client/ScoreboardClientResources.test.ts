import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { FakeEnvironment } from "./environmentFixtures.ts"
import { ada, boardAnswer, startClient } from "./fixtures.ts"

/** What the server, the network and the viewer can do. */
const STEPS: Record<string, (environment: FakeEnvironment) => void | Promise<void>> = {
  "send a board": ({ sockets }) => sockets.at(-1)?.send(ada(1)),
  "end the socket": ({ sockets }) => sockets.at(-1)?.emit("close"),
  "answer polls": (environment) => void (environment.answer = () => boardAnswer(1)),
  "refuse polls": (environment) => void (environment.answer = () => ({ status: 503 })),
  "leave polls open": (environment) => void (environment.answer = () => new Promise(() => {})),
  "hide or show the tab": (environment) => environment.page({ hidden: !environment.hidden }),
  "cut or restore the network": (environment) => environment.page({ online: !environment.online }),
  "wait 3 s": (environment) => environment.advance(3_000),
}
const Steps = Schema.Array(Schema.Literals(Object.keys(STEPS))).check(
  Schema.isMinLength(20),
  Schema.isMaxLength(60),
)

const openSockets = ({ sockets }: FakeEnvironment) => sockets.filter(({ isClosed }) => !isClosed).length

describe("ScoreboardClient", () => {
  it.effect.prop(
    "runs at most one of everything, always dials again, and leaves nothing after close",
    [Steps],
    ([steps]) =>
      Effect.promise(async () => {
        const environment = new FakeEnvironment()
        const { client } = startClient(environment, { fetchFirst: true })
        for (const step of steps) {
          await STEPS[step]?.(environment)
          assert.isAtMost(openSockets(environment), 1, "open sockets")
          // The watch of a socket or the wait for the next one, a poll or the wait for the next one, the pause.
          assert.isAtMost(environment.timers.size, 3, "timers")
        }

        await environment.page({ hidden: false, online: true })
        const dialed = environment.sockets.length - openSockets(environment)
        await environment.advance(30_000)
        assert.isAbove(environment.sockets.length, dialed)

        client.close()
        await environment.settle()
        environment.assertNothingLeft()
      }),
  )
})
