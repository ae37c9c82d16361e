import * as Schema from "effect/Schema"
import type { ChildProcess } from "../../test/support/engines/ChildProcess.ts"
import { pause, residentBytes } from "./process.ts"

/** What gc.ts tells, in bytes: `heapTotal` is what V8 keeps for its heap, `external` contains `arrayBuffers`. */
const Held = Schema.Struct({
  heapUsed: Schema.Number,
  heapTotal: Schema.Number,
  external: Schema.Number,
  arrayBuffers: Schema.Number,
})
const decodeHeld = Schema.decodeUnknownSync(Schema.fromJsonString(Held))

/** The last answer of a server: its number, 0 when there is none yet, and its JSON. */
const lastAnswer = (server: ChildProcess) => {
  const [, n, json] =
    server
      .lines()
      .findLast((line) => line.startsWith("held "))
      ?.split(" ") ?? []
  return { n: Number(n ?? 0), json }
}

/** Memory without garbage, in bytes: what the process has in RAM, and what JavaScript holds of it. */
export const settled = async (server: ChildProcess) => {
  const before = lastAnswer(server).n
  await pause(500)
  process.kill(server.pid, "SIGUSR2")
  const limit = performance.now() + 10_000
  while (lastAnswer(server).n === before) {
    if (performance.now() > limit) throw new Error("A server does not tell what it holds")
    await pause(50)
  }
  const held = decodeHeld(lastAnswer(server).json)
  // What the collector gives back, it gives back a moment later.
  await pause(500)
  return { resident: residentBytes(server.pid), held: held.heapUsed + held.external, ...held }
}
