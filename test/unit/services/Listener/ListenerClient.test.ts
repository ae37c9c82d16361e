import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { IncomingMessage, type IncomingHttpHeaders } from "node:http"
import { Socket } from "node:net"
import { makeClientReader } from "../../../../src/services/Listener/ListenerClient.ts"

const requestFrom = (address: string, headers: IncomingHttpHeaders = {}) => {
  const socket = new Socket()
  Object.defineProperty(socket, "remoteAddress", { value: address })
  const request = new IncomingMessage(socket)
  Object.assign(request.headers, headers)
  return request
}

const addressBehind = (hops: number, forwarded: string | undefined, peer = "10.0.0.1") =>
  makeClientReader(hops, () => undefined).addressOf(
    requestFrom(peer, forwarded === undefined ? {} : { "x-forwarded-for": forwarded }),
  )

describe("the client's address", () => {
  const CASES: ReadonlyArray<readonly [title: string, hops: number, forwarded: string | undefined, string]> =
    [
      ["is the peer's when no proxy is trusted", 0, "1.1.1.1", "10.0.0.1"],
      ["is the peer's when the proxy said nothing", 1, undefined, "10.0.0.1"],
      ["is the last entry behind one proxy", 1, "6.6.6.6, 2.2.2.2", "2.2.2.2"],
      ["is the last but one behind two", 2, "6.6.6.6, 2.2.2.2, 3.3.3.3", "2.2.2.2"],
      ["is the first entry when there are fewer than proxies", 3, "2.2.2.2, 3.3.3.3", "2.2.2.2"],
      ["is the peer's when the entry is no address", 1, "evil", "10.0.0.1"],
      ["is the peer's when the entry is empty", 1, "2.2.2.2,", "10.0.0.1"],
      ["comes without a port", 1, "2.2.2.2:4711", "2.2.2.2"],
      ["comes without brackets and port", 1, "[2001:db8::1]:4711", "2001:db8:0:0::/64"],
      ["is a whole IPv6 network", 1, "2001:DB8:0a:0b:1:2:3:4", "2001:db8:a:b::/64"],
      ["is the IPv4 address behind a mapped one", 1, "::ffff:2.2.2.2", "2.2.2.2"],
    ]
  for (const [title, hops, forwarded, expected] of CASES) {
    it(`it ${title}`, () => assert.strictEqual(addressBehind(hops, forwarded), expected))
  }

  it("is one for all addresses of an IPv6 network, however they are written", () => {
    const spellings = ["2001:db8::1", "2001:db8:0:0::2", "2001:0db8:0000:0000:ffff::", "2001:db8::1%eth0"]
    const networks = spellings.map((peer) => addressBehind(0, undefined, peer))
    assert.deepStrictEqual([...new Set(networks)], ["2001:db8:0:0::/64"])
    assert.notStrictEqual(addressBehind(0, undefined, "2001:db8:0:1::1"), networks[0])
  })

  it.effect.prop("is never what a client wrote itself", [Schema.String, Schema.String], ([one, other]) =>
    Effect.sync(() => {
      for (const written of [one, `${one},${other}`, `${one}, ${other},`]) {
        assert.strictEqual(addressBehind(0, written), "10.0.0.1")
        assert.strictEqual(addressBehind(1, `${written}, 2.2.2.2`), "2.2.2.2")
      }
    }),
  )
})

describe("a forwarding header that is not believed", () => {
  it("is told of once", () => {
    let told = 0
    const { addressOf } = makeClientReader(0, () => told++)
    addressOf(requestFrom("10.0.0.1"))
    assert.strictEqual(told, 0)
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip"]) {
      addressOf(requestFrom("10.0.0.1", { [name]: "1.1.1.1" }))
    }
    assert.strictEqual(told, 1)
  })
})

describe("the client's connection", () => {
  it("is secure only when a trusted proxy says so", () => {
    const secure = (hops: number, protocol: string) =>
      makeClientReader(hops, () => undefined).isSecure(
        requestFrom("10.0.0.1", { "x-forwarded-proto": protocol }),
      )
    assert.isTrue(secure(1, "https"))
    assert.isFalse(secure(1, "http"))
    assert.isFalse(secure(1, "https, http"))
    assert.isFalse(secure(0, "https"))
  })
})
