import { assert, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Listener } from "../../../../src/services/Listener/Listener.ts"
import { exchange } from "../../../support/fixtures.ts"

const services = Listener.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({}))))

const readers = {
  text: Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ text }) => text),
  stream: Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ stream }) =>
    Stream.mkString(Stream.decodeText(stream)),
  ),
}

it.layer(services, { excludeTestServices: true })("Listener", (it) => {
  for (const [reader, body] of Object.entries(readers)) {
    it.effect(`gives a body as it was sent, and none as an empty one, to who reads it as ${reader}`, () =>
      Effect.gen(function* () {
        const listener = yield* Listener
        const { port } = yield* listener.serve({
          host: "127.0.0.1",
          port: 0,
          app: Effect.orDie(Effect.map(body, (text) => HttpServerResponse.text(`[${text}]`))),
          routeOf: () => "echo",
        })
        const post = "POST /echo HTTP/1.1\r\nHost: a\r\n"
        const close = "Connection: close\r\n"
        for (const [sent, expected] of [
          [`${post}${close}\r\n`, "[]"],
          [`${post}${close}Content-Length: 0\r\n\r\n`, "[]"],
          [`${post}${close}Content-Length: 2\r\n\r\nab`, "[ab]"],
          [`${post}${close}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n`, "[abc]"],
        ] as const) {
          const answer = yield* exchange(port, sent)
          assert.strictEqual(answer.slice(answer.indexOf("\r\n\r\n") + 4), expected)
        }
        // One connection, one after the other: none takes what is another's.
        const answers = yield* exchange(
          port,
          `${post}\r\n${post}Content-Length: 1\r\n\r\na${post}\r\n${post}${close}Content-Length: 1\r\n\r\nb`,
        )
        assert.deepStrictEqual(answers.match(/\[.?\]/g), ["[]", "[a]", "[]", "[b]"])
      }),
    )
  }
})
