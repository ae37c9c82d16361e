import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { UserId } from "../../../../src/domain/Score.ts"
import { Outbox } from "../../../../src/programs/increment/Outbox.ts"
import { Sql } from "../../../../src/services/Sql/Sql.ts"
import { type OutgoingMessage, Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { caller, outcome, withSql } from "../increment/fixtures.ts"
import { increment, message, run } from "../board/fixtures.ts"

/** Runs a test as in a process that collects spans: all of them, in the order in which they began. */
const collecting = <A, E, R>(test: (spans: ReadonlyArray<Tracer.Span>) => Effect.Effect<A, E, R>) => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    },
  })
  return Effect.withTracer(
    Effect.suspend(() => test(spans)),
    tracer,
  )
}

/** What is said of a request's trace in the commit that counts it. */
const raised = (request: <A, E>(raise: Effect.Effect<A, E>) => Effect.Effect<A, E>) =>
  withSql(
    (batch) => Effect.succeed(batch.map(() => outcome("Counted"))),
    (writes, { commits }) =>
      Effect.map(request(writes.raise(caller("ada"), undefined)), () => commits[0]?.events[0]?.traceparent),
  )

const TRACE = "0af7651916cd43dd8448eb211c80319c"
const nameOf = (n: number, traceId = TRACE) => `00-${traceId}-${String(n).padStart(16, "0")}-01`

describe("TraceContext", () => {
  it.effect("goes from the span of a request into its commit", () =>
    collecting((spans) =>
      Effect.gen(function* () {
        const found = yield* raised(Effect.withSpan("POST /scores/increment"))
        const request = spans.find(({ name }) => name === "POST /scores/increment")
        assert.isDefined(request)
        assert.strictEqual(found, `00-${request.traceId}-${request.spanId}-01`)
      }),
    ),
  )

  it.effect("stays out of the commit of a request without a sampled span", () =>
    collecting(() =>
      Effect.gen(function* () {
        assert.isUndefined(yield* raised((raise) => raise))
        assert.isUndefined(yield* raised(Effect.withSpan("not sampled", { sampled: false })))
      }),
    ),
  )

  it.effect("stays out of every commit where no spans are collected", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* raised(Effect.withSpan("POST /scores/increment")))
    }),
  )

  it.effect("goes from a commit into an attribute of its message", () =>
    Effect.gen(function* () {
      const sent: Array<OutgoingMessage> = []
      const services = Layer.mergeAll(
        Layer.mock(Sqs)({ send: (messages) => Effect.sync(() => (sent.push(...messages), [])) }),
        Layer.mock(Sql)({ deleteOutbox: () => Effect.void, leaseOutbox: () => Effect.succeed([]) }),
      )
      yield* Effect.gen(function* () {
        const outbox = yield* Outbox
        const event = { id: "7", userId: UserId.make("ada"), email: "ada@example.com" }
        outbox.offer({
          outboxId: "1",
          committedAt: 1,
          events: [{ ...event, traceparent: nameOf(1) }, event],
        })
        yield* TestClock.adjust("1 millis")
      }).pipe(Effect.provide(Outbox.layer.pipe(Layer.provide(services))))
      assert.deepStrictEqual(
        sent.map(({ attributes }) => attributes),
        [
          { eventId: "7", committedAt: "1", traceparent: nameOf(1) },
          { eventId: "7", committedAt: "1" },
        ],
      )
      assert.isFalse(sent.some(({ body }) => body.includes("traceparent")))
    }),
  )

  /** The spans that the worker's span of showing these messages is linked to. */
  const linked = (batch: ReturnType<typeof increment>[]) =>
    collecting((spans) =>
      Effect.gen(function* () {
        const { stop } = yield* run(batch, Effect.void)
        yield* stop
        const show = spans.find(({ name }) => name === "Worker.show")
        return show?.links.map(({ span }) => `${span.traceId} ${span.spanId}`)
      }),
    )
  const from = (traceparent: string, id = "1") => ({ ...increment(id), attributes: { traceparent } })

  it.effect("links the span that shows a board to the requests on it, ten at most", () =>
    Effect.gen(function* () {
      const batch = Array.from({ length: 12 }, (_, n) => from(nameOf(n + 1), String(n)))
      const links = yield* linked([increment("untraced"), ...batch])
      assert.deepStrictEqual(
        links,
        Array.from({ length: 10 }, (_, n) => `${TRACE} ${String(n + 1).padStart(16, "0")}`),
      )
    }),
  )

  it.effect("passes over what other senders call a traceparent, and over messages that show nothing", () =>
    Effect.gen(function* () {
      const links = yield* linked([
        from("garbage"),
        from(nameOf(1).toUpperCase()),
        from(nameOf(1, "0".repeat(32))),
        from(nameOf(0)),
        from(`01${nameOf(1).slice(2)}`),
        { ...message("other", '{"type":"score.reset"}'), attributes: { traceparent: nameOf(2) } },
        from(nameOf(3)),
      ])
      assert.deepStrictEqual(links, [`${TRACE} 0000000000000003`])
    }),
  )
})
