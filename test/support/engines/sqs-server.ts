/**
 * The process that `SqsServer.ts` starts: fauxqs on the loopback interface alone (its own command listens on every
 * interface), on the port of its one argument, 0 for a free one. Prints where it listens. `GET /_calls` answers how
 * many calls there were that change or read messages, by kind: what SQS sends a bill for.
 */
import { buildApp } from "fauxqs"

const BILLED = /\.(Send|Receive|Delete)Message(?:Batch)?$/

const app = buildApp({ logger: false })
const calls: Record<string, number> = { Send: 0, Receive: 0, Delete: 0 }
app.addHook("onRequest", async (request, reply) => {
  const kind = BILLED.exec(String(request.headers["x-amz-target"]))?.[1]
  if (kind !== undefined) calls[kind] = (calls[kind] ?? 0) + 1
  else if (request.url === "/_calls") await reply.send(calls)
})
console.log(`SQS listens on ${await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) })}`)
