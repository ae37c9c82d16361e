import { createServer } from "node:http"

/** The fastest that node:http can be: one constant board, no route, no cache to ask. */
const board = Buffer.from(String(process.env["BOARD"]))
const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": board.length })
  response.end(board)
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on ${typeof address === "object" ? address?.port : address}`)
})
process.once("SIGTERM", () => process.exit(0))
