import { createHash } from "node:crypto"
import { createServer } from "node:http"

/** The least that a queue can be: it answers every call with a constant, a receive with ten messages of this system. */
const ids = Array.from({ length: 10 }, (_, n) => `6f1b1d3e-0000-4000-8000-00000000000${n}`)
const text = JSON.stringify({ userId: ids[0], email: "player@example.com", type: "score.increment" })
/** The client checks it unless it was told not to. */
const md5 = createHash("md5").update(text).digest("hex")
const accepted = JSON.stringify({
  Successful: ids.map((MessageId, n) => ({ Id: String(n), MessageId, MD5OfMessageBody: md5 })),
})
const messages = JSON.stringify({
  Messages: ids.map((MessageId) => ({
    MessageId,
    // As long as those of SQS.
    ReceiptHandle: MessageId.repeat(10),
    Body: text,
    MD5OfBody: md5,
    Attributes: { ApproximateReceiveCount: "1" },
    MessageAttributes: {
      eventId: { StringValue: "12345", DataType: "String" },
      committedAt: { StringValue: "1795630423400", DataType: "String" },
    },
  })),
})
const server = createServer((request, response) => {
  const body = String(request.headers["x-amz-target"]).endsWith(".ReceiveMessage") ? messages : accepted
  request.resume().on("end", () => {
    response.writeHead(200, {
      "content-type": "application/x-amz-json-1.0",
      "content-length": Buffer.byteLength(body),
    })
    response.end(body)
  })
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})
process.once("SIGTERM", () => process.exit(0))
