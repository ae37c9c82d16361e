import { assert, describe, it } from "@effect/vitest"
import { UserId } from "../../../../src/domain/Score.ts"
import { makeTokenMemory, tokenDigest } from "../../../../src/services/Cognito/CognitoTokenMemory.ts"

const claimsOf = (user: string) => ({
  userId: UserId.make(user),
  tokenId: undefined,
  isTokenIdShared: false,
  signedInAtSeconds: 0,
  email: undefined,
  isEmailUnverified: false,
  expiresAtSeconds: 1,
})

describe("token memory", () => {
  it("forgets the token used least recently once it is full", () => {
    const memory = makeTokenMemory(2)
    memory.remember("a", claimsOf("a"))
    memory.remember("b", claimsOf("b"))
    assert.strictEqual(memory.recall("a")?.userId, "a")
    memory.remember("c", claimsOf("c"))
    assert.isUndefined(memory.recall("b"))
    assert.strictEqual(memory.recall("a")?.userId, "a")
    assert.strictEqual(memory.recall("c")?.userId, "c")
  })

  it("takes the same token twice as one", () => {
    const memory = makeTokenMemory(2)
    memory.remember("a", claimsOf("a"))
    memory.remember("b", claimsOf("b"))
    memory.remember("b", claimsOf("b"))
    assert.strictEqual(memory.recall("a")?.userId, "a")
  })

  it("forgets on demand", () => {
    const memory = makeTokenMemory(2)
    memory.remember("a", claimsOf("a"))
    memory.forget("a")
    assert.isUndefined(memory.recall("a"))
  })

  it("knows a token by a digest that differs with every letter", () => {
    assert.strictEqual(tokenDigest("x.y.z"), tokenDigest("x.y.z"))
    assert.notStrictEqual(tokenDigest("x.y.z"), tokenDigest("x.y.Z"))
  })
})
