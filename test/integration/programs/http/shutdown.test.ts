import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { connect } from "node:net"
import { ApiServer } from "../../../../src/programs/http/ApiServer.ts"
import { request, until } from "../../../support/fixtures.ts"
import {
  api,
  type ApiOptions,
  Engine,
  increment,
  Log,
  signIn,
  SOCKET_PATH,
  sqlWith,
  upgradeRequest,
  view,
} from "./fixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

const MANAGEMENT = /"Health and metrics are served".*"port":(\d+)/
const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** An API that the test stops itself. */
const stoppable = Effect.fnUntraced(function* (options: ApiOptions) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const services = yield* Layer.build(api(options)).pipe(Scope.provide(scope))
  const stop = Effect.forkChild(Effect.timed(Scope.close(scope, Exit.void)), { startImmediately: true })
  return { services, stop, port: Context.get(services, ApiServer).port }
})

layer(Engine.layer, OPTIONS)("The API", (it) => {
  it.effect("stops: what is in flight is answered, newcomers are refused, viewers told to come back", () =>
    Effect.gen(function* () {
      const { services, stop, port } = yield* stoppable({
        env: { MANAGEMENT_PORT: "0" },
        replacing: sqlWith((real) => ({
          increment: (batch) => Effect.delay(real.increment(batch), "700 millis"),
        })),
      })
      yield* Effect.gen(function* () {
        const token = yield* signIn()
        const viewer = yield* view
        const inFlight = yield* Effect.forkChild(increment(token), { startImmediately: true })
        // A connection that is in the middle of a request is not idle: it can still ask to upgrade.
        const late = connect({ host: "127.0.0.1", port })
        const [firstLine, rest] = [
          upgradeRequest(SOCKET_PATH).slice(0, 10),
          upgradeRequest(SOCKET_PATH).slice(10),
        ]
        late.write(firstLine)
        let lateAnswer = ""
        late.on("data", (chunk: Buffer) => (lateAnswer += chunk.toString()))
        yield* Effect.sleep("200 millis")

        const stopping = yield* stop
        yield* until(
          "connections are refused",
          Effect.exit(request(`http://127.0.0.1:${port}/scores`)),
          Exit.isFailure,
        )
        const management = (yield* Log).flatMap((line) => MANAGEMENT.exec(line)?.[1] ?? [])
        const health = (path: string) => request(`http://127.0.0.1:${management[0]}/health/${path}`)
        const ready = yield* health("ready")
        assert.strictEqual(ready.status, 503)
        assert.include(ready.body, '"status":"draining"')
        assert.strictEqual((yield* health("live")).status, 200)
        late.write(rest)
        yield* until(
          "an answer to the late upgrade",
          Effect.sync(() => lateAnswer),
          (answer) => answer !== "",
        )
        assert.match(lateAnswer, /^HTTP\/1\.1 503 [^]*\r\nRetry-After: \d+\r\n/)
        assert.strictEqual(yield* viewer.closed, 1012)
        const answer = yield* Fiber.join(inFlight)
        assert.deepStrictEqual([answer.status, answer.body], [200, '{"message":"Score incremented"}'])
        yield* Fiber.join(stopping)
      }).pipe(Effect.provideContext(services))
    }),
  )

  it.effect("stops within two seconds beside a viewer that never answers the close frame", () =>
    Effect.gen(function* () {
      const { stop, port } = yield* stoppable({})
      const deaf = yield* Effect.acquireRelease(
        Effect.sync(() => connect({ host: "127.0.0.1", port, allowHalfOpen: true })),
        (socket) => Effect.sync(() => socket.destroy()),
      )
      let heard = Buffer.alloc(0)
      deaf.on("data", (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
      deaf.write(upgradeRequest(SOCKET_PATH))
      yield* until(
        "the first frame",
        Effect.sync(() => heard.includes('{"scores":[]}')),
        Boolean,
      )
      const [elapsed] = yield* timedRunning(Effect.flatMap(stop, Fiber.join))
      assert.isBelow(elapsed, 2_000)
      assert.isTrue(heard.includes(Buffer.from([0x03, 0xf4])), "the close frame says 1012")
    }),
  )
})
