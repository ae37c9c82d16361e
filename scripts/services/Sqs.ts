import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { ServicesFailure } from "./Failure.ts"
import type { Options } from "./Options.ts"
import { answers, type Part, startPart } from "./Part.ts"
import { createQueues, CREDENTIALS, openClient, queueUrl, REGION } from "./Queues.ts"

/** The program of the emulator. */
export const SQS_EMULATOR = fileURLToPath(new URL("sqs-emulator.ts", import.meta.url))

const QUEUE = "scoreboard"

/** Runs the emulator of SQS with an empty queue and its dead-letter queue: messages may be lost at any time. */
export const startSqs = Effect.fnUntraced(function* ({ ports, host, publicHost, data }: Options) {
  const at = (name: string) => `http://${name.includes(":") ? `[${name}]` : name}:${ports.sqs}`
  const here = at(host)
  const running = yield* startPart({
    name: "The SQS emulator",
    command: { program: process.execPath, args: [SQS_EMULATOR, String(ports.sqs), host] },
    log: join(data, "sqs.log"),
    isReady: answers(`${here}/health`),
  })
  yield* Effect.scoped(Effect.flatMap(openClient(here), (client) => createQueues(client, QUEUE))).pipe(
    Effect.mapError(
      (error) => new ServicesFailure({ message: `The queues cannot be created: ${String(error)}` }),
    ),
  )
  const part: Part = {
    name: "The SQS emulator",
    settings: {
      SQS_QUEUE_URL: queueUrl(at(publicHost), QUEUE),
      AWS_ENDPOINT_URL_SQS: at(publicHost),
      AWS_REGION: REGION,
      ...CREDENTIALS,
    },
    ...running,
  }
  return part
})
