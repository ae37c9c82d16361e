import type { CDPSession } from "playwright-core"

type Kind = "script" | "collection" | "style" | "layout" | "paint"

/** Chromium's names of its work on a page, by what a developer calls it. Pixels are made by other threads. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["EvaluateScript", "script"],
  ["EventDispatch", "script"],
  ["FireAnimationFrame", "script"],
  ["FunctionCall", "script"],
  ["RunMicrotasks", "script"],
  ["TimerFire", "script"],
  ["MajorGC", "collection"],
  ["MinorGC", "collection"],
  ["UpdateLayoutTree", "style"],
  ["Layout", "layout"],
  ["Commit", "paint"],
  ["Layerize", "paint"],
  ["Paint", "paint"],
  ["PrePaint", "paint"],
])

/** A piece of work that was traced: from when to when in microseconds, and the processor time in milliseconds. */
interface Span {
  readonly kind: Kind
  readonly thread: string
  readonly start: number
  readonly end: number
  readonly millis: number
}

/** The processor time of each kind in milliseconds: of work within other work, only the inner kind gets it. */
const timeByKind = (spans: ReadonlyArray<Span>): Readonly<Record<Kind, number>> => {
  const millis = { script: 0, collection: 0, style: 0, layout: 0, paint: 0 }
  const open = new Map<string, ReadonlyArray<Span>>()
  // What began together: the longer is around the other.
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const around = (open.get(span.thread) ?? []).filter(({ end }) => end > span.start)
    const outer = around.at(-1)
    if (outer !== undefined) millis[outer.kind] -= span.millis
    millis[span.kind] += span.millis
    open.set(span.thread, [...around, span])
  }
  return millis
}

/** Records what the tab works on until the returned function is called. */
export const trace = async (cdp: CDPSession) => {
  const spans: Array<Span> = []
  cdp.on("Tracing.dataCollected", ({ value }) => {
    for (const { name, pid, tid, ts, dur, tdur } of value) {
      const kind = KINDS.get(String(name))
      if (kind === undefined || dur === undefined || tdur === undefined) continue
      const [start, end, millis] = [Number(ts), Number(ts) + Number(dur), Number(tdur) / 1_000]
      spans.push({ kind, thread: `${pid} ${tid}`, start, end, millis })
    }
  })
  await cdp.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: {
      recordMode: "recordAsMuchAsPossible",
      includedCategories: ["devtools.timeline", "disabled-by-default-v8.gc"],
    },
  })
  return async () => {
    const complete = new Promise((resolve) => cdp.once("Tracing.tracingComplete", resolve))
    await cdp.send("Tracing.end")
    await complete
    return timeByKind(spans)
  }
}
