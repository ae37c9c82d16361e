import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { text } from "node:stream/consumers"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { listen } from "../../../support/engines/listen.ts"
import { credentials, environment, onQueue } from "./fixtures.ts"

interface Call {
  readonly host: string | undefined
  readonly path: string | undefined
  readonly body: string
}

/** A peer that stores every call and answers the nth by `answers[n]`, further ones by an empty object. */
const peer = (...answers: ReadonlyArray<(response: ServerResponse) => void>) =>
  Effect.gen(function* () {
    const calls: Array<Call> = []
    const sockets = new Set<Socket>()
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const { headers, socket, url: path } = request
      const act = answers[calls.length] ?? ((ok: ServerResponse) => ok.end("{}"))
      sockets.add(socket)
      calls.push({ host: headers.host, path, body: await text(request) })
      act(response)
    }
    const port = yield* listen(createServer((request, response) => void answer(request, response)))
    return { calls, port, sockets }
  })

/** Runs a call against the peer; `AWS_ENDPOINT_URL_SQS` is not set unless a test does. */
const run = <A, E>(
  port: number,
  call: (sqs: Sqs["Service"]) => Effect.Effect<A, E>,
  env: Readonly<Record<string, string>> = {},
) =>
  Effect.flatMap(Sqs, call).pipe(
    Effect.provide(
      onQueue({ SQS_QUEUE_URL: `http://127.0.0.1:${port}/12/q`, AWS_REGION: "eu-west-1", ...env }),
    ),
  )

/** The only call that arrived. */
const only = (calls: ReadonlyArray<Call>) => {
  assert.strictEqual(calls.length, 1)
  const [call] = calls
  if (call === undefined) throw new Error("There was no call")
  return call
}

const refusing = (status: number, code: string) => (response: ServerResponse) =>
  response
    .writeHead(status, { "x-amzn-requestid": "r-1" })
    .end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: "why" }))

layer(credentials, { excludeTestServices: true })("A call of SqsQueue.layer", (it) => {
  it.effect("goes to the queue's own host", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      yield* run(port, (sqs) => sqs.check)
      const { host, path, body } = only(calls)
      assert.deepStrictEqual([host, path], [`127.0.0.1:${port}`, "/"])
      assert.include(body, `"QueueUrl":"http://127.0.0.1:${port}/12/q"`)
    }),
  )

  it.effect("goes to AWS_ENDPOINT_URL_SQS where that is set, for the queue's own URL", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      yield* run(port, (sqs) => sqs.check, {
        SQS_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/12/q",
        AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${port}/behind/a/path`,
      })
      const { path, body } = only(calls)
      assert.strictEqual(path, "/behind/a/path/")
      assert.include(body, `"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/12/q"`)
    }),
  )

  it.effect("reuses its connection, which is closed with the scope", () =>
    Effect.gen(function* () {
      const { calls, port, sockets } = yield* peer()
      yield* run(port, (sqs) => Effect.andThen(sqs.check, Effect.delay(sqs.check, "10 millis")))
      assert.deepStrictEqual([calls.length, sockets.size], [2, 1])
      yield* Effect.sleep("50 millis")
      assert.isTrue([...sockets].every(({ destroyed }) => destroyed))
    }),
  )

  it.effect("fails without credentials, and says so", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      const nothing = environment({
        AWS_ACCESS_KEY_ID: "",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_CONFIG_FILE: "/dev/null",
      })
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check)).pipe(Effect.provide(nothing))
      assert.include(String(cause), "credentials")
      assert.strictEqual(calls.length, 0)
    }),
  )

  it.effect.each([
    ["its connection is closed without an answer", (response: ServerResponse) => response.destroy()],
    ["the answer is cut off", (response: ServerResponse) => response.write("{", () => response.destroy())],
    ["SQS fails", refusing(503, "ServiceUnavailable")],
  ] as const)("is made once more where %s", ([, failure]) =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer(failure)
      yield* run(port, (sqs) => sqs.check)
      assert.strictEqual(calls.length, 2)
    }),
  )

  it.effect("is not made a third time", () =>
    Effect.gen(function* () {
      const failure = refusing(500, "InternalFailure")
      const { calls, port } = yield* peer(failure, failure)
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "InternalFailure: why (HTTP 500, request r-1)")
      assert.strictEqual(calls.length, 2)
    }),
  )

  it.effect("is not made again after a refusal", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer(refusing(403, "InvalidClientTokenId"))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "InvalidClientTokenId: why (HTTP 403, request r-1)")
      assert.strictEqual(calls.length, 1)
    }),
  )

  it.effect("says why it was refused in front of SQS", () =>
    Effect.gen(function* () {
      const answer = { __type: "com.amazon.coral.service#AccessDeniedException", Message: "not allowed" }
      const { port } = yield* peer((response) => response.writeHead(403).end(JSON.stringify(answer)))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "AccessDeniedException: not allowed (HTTP 403, request -)")
    }),
  )

  it.effect("names the status of a refusal that is not of SQS's own form", () =>
    Effect.gen(function* () {
      const { port } = yield* peer((response) => response.writeHead(404).end("<html>secret"))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "Error: The answer of SQS could not be read (HTTP 404)")
    }),
  )
})
