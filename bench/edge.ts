import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { parseArgs } from "node:util"
import { startEdge } from "../test/support/engines/EdgeServer.ts"
import { freePort } from "../test/support/engines/freePort.ts"
import { engineFolder } from "../test/support/engines/runFolder.ts"
import { flood, FLOODS } from "./edge/flood.ts"
import { outage } from "./edge/outage.ts"
import { play, startApi } from "./edge/system.ts"

/**
 * `node bench/edge.ts [--seconds n] [--away n] [--viewers n]`, after `npm ci --prefix edge`: floods the edge in front of
 * `npm start` and counts what reaches the API; then stops the API for a minute while viewers watch. The exit code is 1
 * when a bar is missed.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    away: { type: "string", default: "60" },
    viewers: { type: "string", default: "100" },
  },
})

const main = Effect.gen(function* () {
  const folder = yield* engineFolder("scoreboard-edge-")
  const port = yield* freePort
  const api = yield* startApi(folder, port)
  const { url: edge } = yield* startEdge(`http://127.0.0.1:${port}`)
  const good: Array<boolean> = []
  yield* Effect.acquireRelease(
    Effect.promise(() => play(edge, api.password)),
    (stop) => Effect.sync(stop),
  )
  yield* Console.log(
    [
      "| flood | answered 200 a second | refused a second | lost | reads at the API a second | bar | honest reads answered |",
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ].join("\n"),
  )
  for (const one of FLOODS) {
    good.push(yield* Effect.promise(() => flood(edge, api.metrics, Number(values.seconds), one)))
  }
  const watched = outage({
    edge,
    viewers: Number(values.viewers),
    awaySeconds: Number(values.away),
    stop: api.stop,
    start: startApi(folder, port),
  })
  good.push(yield* watched)
  if (good.includes(false)) process.exitCode = 1
})

NodeRuntime.runMain(Effect.scoped(main))
