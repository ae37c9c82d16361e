import { assert, layer } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "node:net"
import type { Socket } from "node:net"
import { inspect } from "node:util"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import * as SqsQueue from "../../../../src/services/Sqs/SqsQueue.ts"
import { freePort } from "../../../support/engines/freePort.ts"
import { listen } from "../../../support/engines/listen.ts"
import { credentials, failures, onQueue } from "./fixtures.ts"
import { timedRunning } from "../../../support/stalls.ts"

const waitSeconds = 2

/** For a test with a peer of its own that waits for time to pass: it runs at the same time as its neighbour. */
const WAITING = { concurrent: true } as const

const at = (port: number) =>
  onQueue(
    {
      SQS_QUEUE_URL: `http://127.0.0.1:${port}/000000000000/q`,
      AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${port}`,
      AWS_REGION: "eu-west-1",
    },
    SqsQueue.layerWith({ waitSeconds }),
  )

/** Whether a call ended by its time limit: no earlier, and not much later, but for the time in which nothing ran. */
const isNear = (duration: Duration.Duration, runningMillis: number, limitSeconds: number) => {
  assert.isAtLeast(Duration.toSeconds(duration), limitSeconds - 0.5)
  assert.isAtMost(runningMillis / 1000, limitSeconds + 0.5)
}

/** A peer that answers every call with the same body. */
const peer = (answer: string) => {
  const server = createHttpServer((request, response) => {
    request.resume().on("end", () => {
      response
        .writeHead(200, { "content-type": "application/x-amz-json-1.0", connection: "close" })
        .end(answer)
    })
  })
  return Effect.map(listen(server), (port) => at(port))
}

/** Runs with the log collected as one text instead of written. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const collect = Logger.map(Logger.formatJson, (line) => void lines.push(line))
    return effect.pipe(
      Effect.provide(Logger.layer([collect])),
      Effect.map((result) => [result, lines.join("\n")] as const),
    )
  })

layer(credentials, { excludeTestServices: true })("SqsQueue.layer without its engine", (it) => {
  it.effect("fails within a second when nothing listens", () =>
    Effect.gen(function* () {
      const run = timedRunning(failures).pipe(Effect.provide(at(yield* freePort)))
      const [elapsed, failed] = yield* run
      assert.strictEqual(failed.length, 4)
      assert.isBelow(elapsed, 1_000)
    }),
  )

  it.effect(
    "fails after 3 seconds when nothing answers, a receive 5 seconds after its wait",
    () =>
      Effect.gen(function* () {
        const sockets = new Set<Socket>()
        const port = yield* listen(createServer((socket) => void sockets.add(socket.resume())))
        yield* Effect.gen(function* () {
          const sqs = yield* Sqs
          const calls = [
            sqs.send([{ body: "x", attributes: {} }]),
            sqs.delete(["receipt"]),
            sqs.check,
            sqs.receive,
          ]
          const elapsed = yield* Effect.forEach(
            calls,
            (call) => Effect.timed(timedRunning(Effect.flip(call))),
            {
              concurrency: 4,
            },
          )
          const limits = [3, 3, 3, waitSeconds + 5]
          for (const [index, [duration, [millis, failure]]] of elapsed.entries()) {
            isNear(duration, millis, Number(limits[index]))
            assert.include(String(failure.cause), "did not answer")
          }
        }).pipe(Effect.provide(at(port)))
        // Nothing is left of the calls: their connections went with them.
        yield* Effect.sleep("50 millis")
        assert.isAbove(sockets.size, 0)
        assert.isTrue([...sockets].every((socket) => socket.destroyed))
      }),
    WAITING,
  )

  it.effect(
    "fails after 3 seconds when an answer never ends",
    () =>
      Effect.gen(function* () {
        const server = createHttpServer((_, response) => {
          response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).write("{")
        })
        const port = yield* listen(server)
        yield* Effect.gen(function* () {
          const sqs = yield* Sqs
          const [duration, [millis]] = yield* Effect.timed(timedRunning(Effect.flip(sqs.check)))
          isNear(duration, millis, 3)
        }).pipe(Effect.provide(at(port)))
      }),
    WAITING,
  )

  it.effect("closes the connection of a poll that is interrupted", () =>
    Effect.gen(function* () {
      const connected = Promise.withResolvers<Socket>()
      const port = yield* listen(createServer(connected.resolve))
      yield* Effect.gen(function* () {
        const sqs = yield* Sqs
        const receiving = yield* Effect.forkChild(sqs.receive)
        const socket = yield* Effect.promise(() => connected.promise)
        const closed = new Promise((resolve) => void socket.resume().once("close", resolve))
        const interruption = Fiber.interrupt(receiving).pipe(Effect.andThen(Effect.promise(() => closed)))
        const [elapsed] = yield* timedRunning(interruption)
        assert.isBelow(elapsed, 200)
      }).pipe(Effect.provide(at(port)))
    }),
  )

  it.effect("gives what a batch could not send, and logs the code of a sender's fault alone", () =>
    Effect.gen(function* () {
      const answer = {
        Successful: [{ Id: "1", MessageId: "m", MD5OfMessageBody: "0".repeat(32) }],
        Failed: [
          { Id: "0", SenderFault: true, Code: "InvalidMessageContents", Message: "secret@example.test" },
          { Id: "3", SenderFault: false, Code: "InternalError", Message: "secret@example.test" },
        ],
      }
      const queue = yield* peer(JSON.stringify(answer))
      const messages = Array.from({ length: 4 }, () => ({ body: "secret@example.test", attributes: {} }))
      const send = Effect.flatMap(Sqs, (sqs) => sqs.send(messages))
      const [unaccepted, log] = yield* logged(send.pipe(Effect.provide(queue)))
      // The third is in neither list.
      assert.deepStrictEqual(unaccepted, [0, 2, 3])
      assert.include(log, "InvalidMessageContents")
      assert.include(log, `"level":"ERROR"`)
      assert.notInclude(log, "InternalError")
      assert.notInclude(log, "secret")
    }),
  )

  it.effect("gives the receipts that a batch could not delete", () =>
    Effect.gen(function* () {
      const answer = {
        Successful: [{ Id: "1" }],
        Failed: [{ Id: "0", SenderFault: true, Code: "ReceiptHandleIsInvalid" }],
      }
      const queue = yield* peer(JSON.stringify(answer))
      const remove = Effect.flatMap(Sqs, (sqs) => sqs.delete(["a", "b"]))
      const [left, log] = yield* logged(remove.pipe(Effect.provide(queue)))
      assert.deepStrictEqual(left, ["a"])
      assert.include(log, "ReceiptHandleIsInvalid")
    }),
  )

  it.effect.each([
    ["no JSON", `secret@example.test`],
    ["a message without a receipt", `{"Messages":[{"Body":"secret@example.test","MessageId":"1"}]}`],
  ] as const)("fails without a word of the answer when it is %s", ([, answer]) =>
    Effect.gen(function* () {
      const queue = yield* peer(answer)
      const receive = Effect.flatMap(Sqs, (sqs) => sqs.receive)
      const [failure, log] = yield* logged(
        Effect.flip(receive).pipe(
          Effect.tap((error) => Effect.logError("A receive failed", error)),
          Effect.provide(queue),
        ),
      )
      assert.strictEqual(failure._tag, "SqsFailure")
      assert.include(log, "A receive failed")
      assert.notInclude(log + inspect(failure, { depth: 10 }), "secret")
    }),
  )
})
