import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LruMap } from "./LruMap.ts"
import { monotonicMillis } from "./MonotonicTime.ts"

interface Entry<A, E> {
  /** When the read was asked for: what it gives is as old as this at most. Monotonic milliseconds. */
  readonly begunAt: number
  readonly read: Effect.Effect<A, E>
  value: A | undefined
}

/** A value, and whether an earlier read gave it. */
export interface Recent<A> {
  readonly value: A
  readonly isRemembered: boolean
}

/**
 * Reads by key. Callers who ask for one key while it is read share that read (single-flight), and for `freshMillis` from
 * its beginning its result is given again. Failures are shared, but not remembered. At most `capacity` keys: one more
 * forgets the key that was used least recently. A `Cache` counts the time from the end of a read, by the wall clock.
 */
export const makeRecentReads = <Request, A extends object, E>(options: {
  readonly capacity: number
  readonly freshMillis: number
  readonly keyOf: (request: Request) => string
  readonly read: (request: Request) => Effect.Effect<A, E>
}) => {
  const entries = new LruMap<string, Entry<A, E>>(options.capacity)

  const begin = Effect.fnUntraced(function* (key: string, request: Request, begunAt: number) {
    const result = options.read(request).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (exit._tag === "Success") entry.value = exit.value
          else if (entries.peek(key) === entry) entries.delete(key)
        }),
      ),
    )
    // Only shared: what is remembered is remembered by a monotonic clock, below.
    const entry: Entry<A, E> = {
      begunAt,
      read: yield* Effect.cachedWithTTL(result, Duration.negativeInfinity),
      value: undefined,
    }
    entries.set(key, entry)
    return entry
  })

  return Effect.fnUntraced(function* (request: Request) {
    const key = options.keyOf(request)
    const now = yield* monotonicMillis
    const known = entries.get(key)
    const isFresh = known !== undefined && now - known.begunAt < options.freshMillis
    if (isFresh && known.value !== undefined) return { value: known.value, isRemembered: true }
    const entry = isFresh ? known : yield* begin(key, request, now)
    const recent: Recent<A> = { value: yield* entry.read, isRemembered: false }
    return recent
  })
}
