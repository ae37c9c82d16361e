import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { newIdempotencyKey } from "../../../src/client/IdempotencyKey.ts"

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe("newIdempotencyKey", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it("is a new UUID each time", () => {
    const keys = Array.from({ length: 100 }, newIdempotencyKey)
    for (const key of keys) assert.match(key, UUID_4)
    assert.strictEqual(new Set(keys).size, keys.length)
  })

  it("is a UUID also on plain HTTP, where randomUUID does not exist", () => {
    const { crypto } = globalThis
    vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) })
    const keys = Array.from({ length: 100 }, newIdempotencyKey)
    for (const key of keys) assert.match(key, UUID_4)
    assert.strictEqual(new Set(keys).size, keys.length)
  })
})
