import { mistakeIn, type Settings } from "../src/Settings.ts"
import { checkOrigin } from "./origin.ts"

/**
 * Runs the edge on this machine, in front of `npm start`: ORIGIN (default http://127.0.0.1:8080), EDGE_SECRET,
 * CORS_ORIGINS, and PORT (default 8787; 0 = any free one).
 */
const { ORIGIN = "http://127.0.0.1:8080", EDGE_SECRET, CORS_ORIGINS, PORT = "8787" } = process.env
const settings: Settings = { ORIGIN, EDGE_SECRET, CORS_ORIGINS }

const fail = (line: string) => {
  console.error(`edge:dev: ${line}`)
  process.exit(1)
}

const mistake = mistakeIn(settings)
if (mistake !== undefined)
  fail(`${mistake}; give \`npm start\` and \`npm run edge:dev\` the same environment`)
const origin = await checkOrigin(settings)
if (origin.mistake !== undefined) fail(origin.mistake)
if (origin.isOpen === true)
  console.warn(`edge:dev: ORIGIN ${ORIGIN} answers without the secret: it has no EDGE_SECRET`)

// Loads workerd, which takes a second: a mistake is told before.
const { startEdge } = await import("./edge.ts")
const edge = await startEdge(settings, Number(PORT))
console.log(`The edge is listening on ${edge.url.origin}, in front of ${ORIGIN}`)
const stop = () => void edge.stop().then(() => process.exit(0))
process.once("SIGINT", stop)
process.once("SIGTERM", stop)
