import * as Schema from "effect/Schema"
import type { CDPSession } from "playwright-core"

/** What is alive in a tab after a collection. */
export interface Heap {
  readonly bytes: number
  /** Of the document, and those that have left it and are still held. */
  readonly nodes: number
  readonly listeners: number
}

/** Collects what can be collected, and looks at the rest. */
export const lookAt = async (cdp: CDPSession): Promise<Heap> => {
  await cdp.send("HeapProfiler.collectGarbage")
  const { usedSize } = await cdp.send("Runtime.getHeapUsage")
  const { nodes, jsEventListeners } = await cdp.send("Memory.getDOMCounters")
  return { bytes: usedSize, nodes, listeners: jsEventListeners }
}

/** The part of a heap snapshot that is read here: rows of numbers, with the names of their columns. */
const Snapshot = Schema.fromJsonString(
  Schema.Struct({
    snapshot: Schema.Struct({
      meta: Schema.Struct({
        node_fields: Schema.Array(Schema.String),
        node_types: Schema.TupleWithRest(Schema.Tuple([Schema.Array(Schema.String)]), [Schema.Unknown]),
      }),
    }),
    nodes: Schema.Array(Schema.Number),
    strings: Schema.Array(Schema.String),
  }),
)

/** In the column `detachedness`: a node that has left its document. */
const DETACHED = 2

/** These have names of their own that say what they are; all others go by their kind. */
const NAMED = new Set(["object", "closure", "native"])

/** How many of each class are alive, and their bytes: `object Map`, `closure listener`, `string`, `detached …`. */
export type Classes = ReadonlyMap<string, readonly [count: number, bytes: number]>

export const countClasses = async (cdp: CDPSession): Promise<Classes> => {
  const chunks: Array<string> = []
  const keep = ({ chunk }: { readonly chunk: string }) => void chunks.push(chunk)
  cdp.on("HeapProfiler.addHeapSnapshotChunk", keep)
  await cdp.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false })
  cdp.off("HeapProfiler.addHeapSnapshotChunk", keep)
  const { snapshot, nodes, strings } = Schema.decodeUnknownSync(Snapshot)(chunks.join(""))
  const { node_fields: fields, node_types: types } = snapshot.meta
  const column = (field: string) => fields.indexOf(field)
  const [type, name, size, state] = [
    column("type"),
    column("name"),
    column("self_size"),
    column("detachedness"),
  ]
  const classes = new Map<string, readonly [number, number]>()
  for (let row = 0; row < nodes.length; row += fields.length) {
    const kind = types[0][nodes[row + type] ?? -1] ?? "unknown"
    const named = NAMED.has(kind) ? `${kind} ${(strings[nodes[row + name] ?? -1] ?? "").slice(0, 60)}` : kind
    const label = nodes[row + state] === DETACHED ? `detached ${named}` : named
    const [count, bytes] = classes.get(label) ?? [0, 0]
    classes.set(label, [count + 1, bytes + (nodes[row + size] ?? 0)])
  }
  return classes
}

/** The classes of which there were more each time, and how many bytes they have gained; the heaviest first. */
export const grown = (times: ReadonlyArray<Classes>) =>
  [...(times.at(-1)?.keys() ?? [])]
    .map((label) => {
      const seen = times.map((classes) => classes.get(label) ?? [0, 0])
      const counts = seen.map(([count]) => count)
      return { label, counts, bytes: (seen.at(-1)?.[1] ?? 0) - (seen.at(0)?.[1] ?? 0) }
    })
    .filter(({ counts }) => counts.every((count, time) => time === 0 || count > (counts[time - 1] ?? 0)))
    .toSorted((a, b) => b.bytes - a.bytes)
