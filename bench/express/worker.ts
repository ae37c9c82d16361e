import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import { Redis } from "ioredis"
import { Pool } from "pg"
import { migrate, refreshBoard } from "./board.ts"
import { BOARD_CHANNEL, databaseUrl, INCREMENT_TYPE, queueUrl, redisUrl, sqsEndpoint } from "./config.ts"

/** The brief's worker flow, step by step: poll ten, refresh the board once for them, publish, delete them. */
const pool = new Pool({ connectionString: databaseUrl })
const redis = new Redis(redisUrl)
const sqs = new SQSClient(sqsEndpoint === undefined ? {} : { endpoint: sqsEndpoint })
await migrate(pool)

const isIncrement = (message: Message): boolean => {
  const body: unknown = JSON.parse(message.Body ?? "null")
  return typeof body === "object" && body !== null && "type" in body && body.type === INCREMENT_TYPE
}

process.once("SIGTERM", () => process.exit(0))
console.log("polling")
while (true) {
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
  )
  if (messages.length === 0) continue
  if (messages.some(isIncrement)) await redis.publish(BOARD_CHANNEL, await refreshBoard(pool, redis))
  await sqs.send(
    new DeleteMessageBatchCommand({
      QueueUrl: queueUrl,
      Entries: messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
    }),
  )
}
