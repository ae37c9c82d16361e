/**
 * The SQS emulator (fauxqs) as a process: `sqs-emulator.ts <port> [<host>]`, on loopback unless a host is given. Its own
 * command listens on every interface. Port 0 is a free one. Prints where it listens. `GET /_calls` answers how many calls
 * there were that change or read messages, by kind: what SQS sends a bill for.
 */
import { buildApp } from "fauxqs"

const BILLED = /\.(Send|Receive|Delete)Message(?:Batch)?$/

const [port, host = "127.0.0.1"] = process.argv.slice(2)
const app = buildApp({ logger: false })
const calls: Record<string, number> = { Send: 0, Receive: 0, Delete: 0 }
app.addHook("onRequest", async (request, reply) => {
  const kind = BILLED.exec(String(request.headers["x-amz-target"]))?.[1]
  if (kind !== undefined) calls[kind] = (calls[kind] ?? 0) + 1
  else if (request.url === "/_calls") await reply.send(calls)
})
console.log(`SQS listens on ${await app.listen({ host, port: Number(port) })}`)
