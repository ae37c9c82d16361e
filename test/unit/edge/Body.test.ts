import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { readBody } from "../../../edge/src/Body.ts"

const KIB = 1024

/** A request whose body is sent in parts; without an end, more of it is to come. */
const sending = (sizes: ReadonlyArray<number>, isWhole = true) =>
  new Request("https://board.example.com/users/auth/login", {
    method: "POST",
    duplex: "half",
    body: new ReadableStream({
      start: (controller) => {
        for (const size of sizes) controller.enqueue(new Uint8Array(size))
        if (isWhole) controller.close()
      },
    }),
  })

describe("A body at the edge", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }))
  afterEach(() => void vi.useRealTimers())

  it("is read whole, up to 16 KiB, and leaves no timer", async () => {
    const body = await readBody(sending([15 * KIB, KIB]))
    assert.instanceOf(body, ArrayBuffer)
    assert.strictEqual(body.byteLength, 16 * KIB)
    assert.isNull(
      await readBody(new Request("https://board.example.com/scores/increment", { method: "POST" })),
    )
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("is refused as soon as it is larger, though its sender has not ended", async () => {
    assert.strictEqual(await readBody(sending([16 * KIB, 1], false)), 413)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("is refused when its sender has not ended after 15 s", async () => {
    const status = readBody(sending([1], false))
    await vi.advanceTimersByTimeAsync(14_999)
    assert.strictEqual(vi.getTimerCount(), 1)
    await vi.advanceTimersByTimeAsync(1)
    assert.strictEqual(await status, 408)
  })
})
