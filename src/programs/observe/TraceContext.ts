import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Tracer from "effect/Tracer"

/** The most requests to which one board is linked: enough to find an example, and few beside the hundreds it may show. */
const MAX_LINKS = 10

/** The span of the caller, if it is sampled and this process collects spans; otherwise undefined. */
export const collectedSpan: Effect.Effect<Tracer.Span | undefined> = Effect.withFiber((fiber) => {
  const { span } = fiber.cache
  const isCollected =
    span?._tag === "Span" && span.sampled && fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer
  return Effect.succeed(isCollected ? span : undefined)
})

/** The W3C `traceparent` of a span, as a message attribute. */
export const traceContext = (span: Tracer.Span): { readonly traceparent?: string } => {
  const { traceparent } = HttpTraceContext.toHeaders(span)
  return traceparent === undefined ? {} : { traceparent }
}

/** Links the span of the caller to the spans that the first messages name. A malformed `traceparent` is ignored. */
export const linkTo = (
  messages: ReadonlyArray<{ readonly attributes: Readonly<Record<string, string>> }>,
): Effect.Effect<void> =>
  Effect.flatMap(collectedSpan, (current) =>
    Effect.sync(() => {
      if (current === undefined) return
      const links: Array<Tracer.SpanLink> = []
      for (const { attributes } of messages) {
        if (links.length === MAX_LINKS) break
        const { traceparent } = attributes
        if (traceparent === undefined) continue
        const span = HttpTraceContext.w3c(Headers.fromRecordUnsafe({ traceparent }))
        if (span._tag === "Some") links.push({ span: span.value, attributes: {} })
      }
      current.addLinks(links)
    }),
  )
