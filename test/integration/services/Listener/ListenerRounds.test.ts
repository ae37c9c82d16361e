import { assert, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { connect, type Socket } from "node:net"
import { Listener } from "../../../../src/services/Listener/Listener.ts"
import type { RoundRequest, Round } from "../../../../src/services/Listener/ListenerRounds.ts"
import { exchange, request, until } from "../../../support/fixtures.ts"

const services = Listener.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))))

/** An application whose every answer says that it came from there, and one path answered in rounds. */
const serve = (round: Round, path = "/round") =>
  Effect.flatMap(Listener, (listener) =>
    listener.serve({
      host: "127.0.0.1",
      port: 0,
      app: Effect.succeed(HttpServerResponse.text("application")),
      rounds: new Map([[path, round]]),
      routeOf: (_method, asked) => asked,
    }),
  )

/** A round that ends when the test says so, and tells each request its name and how many there were. */
const held = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const runs: Array<ReadonlyArray<RoundRequest>> = []
  const round: Round = (asked) =>
    Effect.suspend(() => {
      runs.push(asked)
      return Effect.as(Deferred.await(gate), ({ headers }: RoundRequest) =>
        HttpServerResponse.text(`${String(headers["x-request-id"])} of ${asked.length}`),
      )
    })
  return { gate, runs, round }
})

const ask = (port: number, id: string, method = "GET") =>
  request(`http://127.0.0.1:${port}/round?${id}`, { method, headers: { "x-request-id": id } })

const waiting = (runs: ReadonlyArray<ReadonlyArray<RoundRequest>>, count: number) =>
  until(
    `${count} requests in the round`,
    Effect.sync(() => runs.at(-1)?.length),
    (length) => length === count,
  )

/** How many answers were counted so far, by their status. */
const counted = (route: string) =>
  Effect.map(
    Metric.snapshot,
    (metrics) =>
      new Map(
        metrics.flatMap(({ type, attributes, state }) =>
          type === "Histogram" && attributes?.["route"] === route
            ? [[attributes["status"], state.count]]
            : [],
        ),
      ),
  )

it.layer(services, { excludeTestServices: true })("Listener, in rounds", (it) => {
  it.effect("answers all that arrive while a round runs by that run, and the next by the next", () =>
    Effect.gen(function* () {
      const { gate, runs, round } = yield* held
      const { port } = yield* serve(round)
      const asking = yield* Effect.forkChild(
        Effect.forEach(["a", "b", "c"], (id) => ask(port, id), { concurrency: "unbounded" }),
      )
      yield* waiting(runs, 3)
      yield* Deferred.succeed(gate, undefined)
      const bodies = (yield* Fiber.join(asking)).map(({ body }) => body)
      assert.deepStrictEqual(bodies, ["a of 3", "b of 3", "c of 3"])
      assert.strictEqual((yield* ask(port, "d")).body, "d of 1")
      assert.strictEqual(runs.length, 2)
    }),
  )

  it.effect("answers the others, and counts a 499, when one of them leaves", () =>
    Effect.gen(function* () {
      const { gate, runs, round } = yield* held
      const { port } = yield* serve(round)
      const before = (yield* counted("/round")).get("200") ?? 0
      const leaving = yield* Effect.forkChild(ask(port, "gone"))
      const staying = yield* Effect.forkChild(ask(port, "here"))
      yield* waiting(runs, 2)
      yield* Fiber.interrupt(leaving)
      // Turns of the event loop, in which the server hears of it.
      yield* Effect.repeat(Effect.sleep("20 millis"), { times: 3 })
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(staying)).body, "here of 2")
      const counts = yield* until("two answers", counted("/round"), ({ size }) => size === 2)
      assert.deepStrictEqual([counts.get("200"), counts.get("499")], [before + 1, 1])
    }),
  )

  it.effect("counts an answer that the client is slow to read when it has left, or the client has", () =>
    Effect.gen(function* () {
      const LARGE = 32 * 1024 * 1024
      const { port } = yield* serve(
        () => Effect.succeed(() => HttpServerResponse.text("x".repeat(LARGE))),
        "/slow",
      )
      const open = Effect.callback<Socket, Error>((resume) => {
        const socket = connect({ host: "127.0.0.1", port }, () => {
          socket.write("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
          socket.once("readable", () => resume(Effect.succeed(socket)))
        })
        socket.on("error", (error) => resume(Effect.fail(error)))
      })
      const [reading, leaving] = yield* Effect.all([open, open])
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* counted("/slow")).size, 0)
      reading.resume()
      yield* until("a 200", counted("/slow"), (counts) => counts.get("200") === 1)
      leaving.destroy()
      yield* until("a 499", counted("/slow"), (counts) => counts.get("499") === 1)
    }),
  )

  it.effect("answers who waits before a drain is over, and ends the connection", () =>
    Effect.gen(function* () {
      const { gate, runs, round } = yield* held
      const { port, drain } = yield* serve(round)
      const asking = yield* Effect.forkChild(ask(port, "last"))
      yield* waiting(runs, 1)
      const draining = yield* Effect.forkChild(drain)
      yield* Effect.sleep("100 millis")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Fiber.join(asking)).body, "last of 1")
      yield* Fiber.join(draining)
    }),
  )

  it.effect("leaves to the application what a round cannot answer, and every request with a body", () =>
    Effect.gen(function* () {
      const rounds: ReadonlyArray<Round> = [
        () => Effect.die(new Error("a defect")),
        () => Effect.succeed(() => HttpServerResponse.text("", { headers: { "x-broken": "two\nlines" } })),
        () =>
          Effect.succeed(() => {
            throw new Error("a defect")
          }),
      ]
      for (const round of rounds) {
        const { port } = yield* serve(round)
        for (const id of ["first", "second"]) assert.strictEqual((yield* ask(port, id)).body, "application")
      }
      const { port } = yield* serve(() => Effect.succeed(() => HttpServerResponse.text("round")))
      const bodied = "GET /round HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
      assert.match(yield* exchange(port, bodied), /\r\n\r\napplication$/)
      assert.strictEqual((yield* ask(port, "post", "POST")).body, "application")
      assert.strictEqual((yield* ask(port, "get")).body, "round")
      assert.strictEqual((yield* ask(port, "head", "HEAD")).body, "")
    }),
  )
})
