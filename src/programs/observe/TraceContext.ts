import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Tracer from "effect/Tracer"

/** Requests that one board is linked to: enough to find an example, few beside the hundreds that it may show. */
const MAX_LINKS = 10

/** The span of whoever asks, as it travels: one that is sampled, in a process that collects spans. */
export const collectedSpan: Effect.Effect<Tracer.Span | undefined> = Effect.withFiber((fiber) => {
  const { span } = fiber.cache
  const isCollected =
    span?._tag === "Span" && span.sampled && fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer
  return Effect.succeed(isCollected ? span : undefined)
})

/** A span by its W3C name. */
export const traceContext = (span: Tracer.Span): { readonly traceparent?: string } => {
  const { traceparent } = HttpTraceContext.toHeaders(span)
  return traceparent === undefined ? {} : { traceparent }
}

/** Links the span of whoever calls to the first spans that messages name; what is no W3C name is ignored. */
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
