import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createHash, createHmac } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import { listen } from "../../../support/engines/listen.ts"
import { credentials, environment, onQueue } from "./fixtures.ts"

interface Call {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const EMPTY = "{}"

/** A peer that keeps every call and answers the nth by `answers[n]`, further ones by an empty object. */
const peer = (...answers: ReadonlyArray<(response: ServerResponse) => void>) =>
  Effect.gen(function* () {
    const calls: Array<Call> = []
    const answer = async (request: IncomingMessage, response: ServerResponse) => {
      const { method, url: path } = request
      const headers = Object.fromEntries(
        Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(",")]),
      )
      const act = answers[calls.length] ?? ((ok: ServerResponse) => ok.end(EMPTY))
      calls.push({ method, path, headers, body: await text(request) })
      act(response)
    }
    const port = yield* listen(createServer((request, response) => void answer(request, response)))
    return { calls, port }
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

const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest()
const sha256 = (data: string) => createHash("sha256").update(data).digest("hex")

/** What AWS computes from a call it received: Signature Version 4, from its documentation. */
const signatureOf = (call: Call, secret: string, scope: string, signedHeaders: string) => {
  const canonical = [
    call.method,
    call.path,
    "",
    ...signedHeaders.split(";").map((name) => `${name}:${call.headers[name]?.trim()}`),
    "",
    signedHeaders,
    sha256(call.body),
  ].join("\n")
  const toSign = ["AWS4-HMAC-SHA256", call.headers["x-amz-date"], scope, sha256(canonical)].join("\n")
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secret}`)
  return hmac(key, toSign).toString("hex")
}

const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/

const only = (calls: ReadonlyArray<Call>): Call => {
  assert.strictEqual(calls.length, 1)
  return calls[0] ?? assert.fail()
}

const authorizationOf = (call: Call) => {
  const [, keyId = "", scope = "", signed = "", signature = ""] =
    AUTHORIZATION.exec(call.headers["authorization"] ?? "") ?? []
  return { keyId, scope, signed, signature }
}

const refusing = (status: number, code: string) => (response: ServerResponse) =>
  response
    .writeHead(status, { "x-amzn-requestid": "r-1" })
    .end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: "why" }))

layer(credentials, { excludeTestServices: true })("SqsQueue.layer on the wire", (it) => {
  it.effect("is asked by the JSON protocol, at the root of the queue's own host", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      yield* run(port, (sqs) => sqs.delete(["a", "b"]))
      const call = only(calls)
      assert.deepStrictEqual([call.method, call.path], ["POST", "/"])
      assert.strictEqual(call.headers["host"], `127.0.0.1:${port}`)
      assert.strictEqual(call.headers["content-type"], "application/x-amz-json-1.0")
      assert.strictEqual(call.headers["x-amz-target"], "AmazonSQS.DeleteMessageBatch")
      assert.deepStrictEqual(JSON.parse(call.body), {
        QueueUrl: `http://127.0.0.1:${port}/12/q`,
        Entries: [
          { Id: "0", ReceiptHandle: "a" },
          { Id: "1", ReceiptHandle: "b" },
        ],
      })
    }),
  )

  it.effect("is asked at AWS_ENDPOINT_URL_SQS where that is set, for the queue's own URL", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      yield* run(port, (sqs) => sqs.check, {
        SQS_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/12/q",
        AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${port}/behind/a/path`,
      })
      const call = only(calls)
      assert.strictEqual(call.path, "/behind/a/path")
      assert.include(call.body, `"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/12/q"`)
    }),
  )

  it.effect("signs what it sends", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      const message = { body: `{"email":"zoë@exämple.test"}`, attributes: { eventId: "漢 字" } }
      yield* run(port, (sqs) => sqs.send([message]))
      const call = only(calls)
      const { keyId, scope, signed, signature } = authorizationOf(call)
      assert.strictEqual(keyId, "local")
      assert.match(scope, /^\d{8}\/eu-west-1\/sqs\/aws4_request$/)
      assert.includeMembers(signed.split(";"), ["host", "content-type", "x-amz-date", "x-amz-target"])
      assert.strictEqual(signature, signatureOf(call, "local", scope, signed))
      assert.notStrictEqual(signature, signatureOf({ ...call, body: "{}" }, "local", scope, signed))
    }),
  )

  it.effect("signs the session token of temporary credentials as well", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer()
      const temporary = environment({ AWS_SECRET_ACCESS_KEY: "s3/cr+et", AWS_SESSION_TOKEN: "of/an+hour=" })
      yield* run(port, (sqs) => sqs.check).pipe(Effect.provide(temporary))
      const call = only(calls)
      const { scope, signed, signature } = authorizationOf(call)
      assert.strictEqual(call.headers["x-amz-security-token"], "of/an+hour=")
      assert.include(signed.split(";"), "x-amz-security-token")
      assert.strictEqual(signature, signatureOf(call, "s3/cr+et", scope, signed))
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
  ] as const)("makes a call once more where %s", ([, failure]) =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer(failure)
      yield* run(port, (sqs) => sqs.check)
      assert.strictEqual(calls.length, 2)
    }),
  )

  it.effect("does not make a call a third time", () =>
    Effect.gen(function* () {
      const failure = refusing(500, "InternalFailure")
      const { calls, port } = yield* peer(failure, failure)
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "InternalFailure: why (HTTP 500, request r-1)")
      assert.strictEqual(calls.length, 2)
    }),
  )

  it.effect("does not make a call again that was refused", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* peer(refusing(403, "InvalidClientTokenId"))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "InvalidClientTokenId: why (HTTP 403, request r-1)")
      assert.strictEqual(calls.length, 1)
    }),
  )

  it.effect("says why a call was refused in front of SQS", () =>
    Effect.gen(function* () {
      const answer = { __type: "com.amazon.coral.service#AccessDeniedException", Message: "not allowed" }
      const { port } = yield* peer((response) => response.writeHead(403).end(JSON.stringify(answer)))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "AccessDeniedException: not allowed (HTTP 403, request -)")
    }),
  )

  it.effect("names the status of a refusal that is not SQS's own", () =>
    Effect.gen(function* () {
      const { port } = yield* peer((response) => response.writeHead(404).end("<html>"))
      const { cause } = yield* run(port, (sqs) => Effect.flip(sqs.check))
      assert.strictEqual(String(cause), "Unexplained: SQS does not say why (HTTP 404, request -)")
    }),
  )
})
