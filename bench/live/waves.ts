import * as Effect from "effect/Effect"
import { connectionsOf, takeSeat } from "./network.ts"

/** How viewers misbehave. */
export const KINDS = ["never reads", "only sends pongs", "vanishes"] as const
export type Kind = (typeof KINDS)[number]

/** What became of the waves of a kind. */
export interface Cut {
  viewers: number
  /** The longest that the server held one after it began to misbehave. */
  slowestSeconds: number
}

/** Viewers that misbehave together. */
const WAVE = 100

/** How long viewers read before they vanish, at most. */
const READS_MILLIS = 10_000

/** How often the server's connections are looked at. */
const LOOK_EVERY_MILLIS = 500

/**
 * One wave: connects, misbehaves, and is over when the server holds none of it any more. Notes that in `cut`.
 */
const wave = Effect.fnUntraced(function* (options: {
  readonly kind: Kind
  readonly port: number
  readonly isPrivate: boolean
  readonly cut: Cut
}) {
  const { kind, port, cut } = options
  const { viewers, host, address, vanish } = yield* takeSeat(options.isPrivate)
  const manner = kind === "vanishes" ? "reads" : kind
  yield* Effect.promise(() =>
    viewers.open({ port, protocol: "websocket", count: WAVE, host, from: [address], manner }),
  )
  if (kind === "vanishes") {
    yield* Effect.sleep(Math.random() * READS_MILLIS)
    yield* Effect.promise(vanish)
  }
  const since = performance.now()
  const isHeld = () => connectionsOf(port).some((one) => one.state === "open" && one.address === address)
  while (isHeld()) yield* Effect.sleep(LOOK_EVERY_MILLIS)
  cut.viewers += WAVE
  cut.slowestSeconds = Math.max(cut.slowestSeconds, (performance.now() - since) / 1000)
}, Effect.scoped)

/** Keeps `count` viewers of a kind connected: a wave that the server has cut is followed by another. */
export const keepWaves = (options: {
  readonly kind: Kind
  readonly count: number
  readonly port: number
  readonly isPrivate: boolean
  readonly cut: Cut
}) =>
  Effect.forEach(
    Array.from({ length: options.count / WAVE }, (_, n) => n),
    (n) => Effect.delay(Effect.forever(wave(options)), n * 3_000),
    { concurrency: "unbounded", discard: true },
  )
