/**
 * The process that `SqsServer.ts` starts: fauxqs on the loopback interface alone (its own command listens on every
 * interface), on the port of its one argument, 0 for a free one. Prints where it listens.
 */
import { buildApp } from "fauxqs"

const app = buildApp({ logger: false })
console.log(`SQS listens on ${await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) })}`)
