import { client } from "./generated/client.gen.js"
import {
  getBoard,
  getHistory,
  getPage,
  getStanding,
  incrementScore,
  login,
  logout,
  refresh,
} from "./generated/index.js"

// One player's visit through the client that is generated from `/openapi.json`. What the player sees is printed as
// JSON. Usage: node play.js <origin> <email> <password>

declare const process: { readonly argv: ReadonlyArray<string> }

const [, , baseUrl = "", email = "", password = ""] = process.argv
let accessToken = ""
client.setConfig({ baseUrl, auth: () => accessToken, throwOnError: true })

const wrong = await login({ body: { email, password: `not ${password}` }, throwOnError: false })
const signIn = await login({ body: { email, password }, throwOnError: true })
accessToken = signIn.data.accessToken
let refreshToken = signIn.data.refreshToken

const headers = { "idempotency-key": "the-first-action" }
const repeated = [
  await incrementScore({ headers, throwOnError: true }),
  await incrementScore({ headers, throwOnError: true }),
  await incrementScore({ throwOnError: true }),
]

const renewed = await refresh({ body: { refreshToken }, throwOnError: true })
accessToken = renewed.data.accessToken
refreshToken = renewed.data.refreshToken ?? refreshToken

const standing = await getStanding({ throwOnError: true })
const newest = await getHistory({ query: { limit: 1 }, throwOnError: true })
const next = newest.data.next
const older = await getHistory({
  query: next === null ? {} : { after: next, limit: 100 },
  throwOnError: true,
})
const page = await getPage({ query: { limit: 10 }, throwOnError: true })

// The board follows an increment after a moment.
let board = await getBoard({ throwOnError: true })
for (let tries = 0; tries < 100 && board.data?.scores[0]?.score !== 2; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 50))
  board = await getBoard({ throwOnError: true })
}
const etag = board.response.headers.get("etag") ?? ""
const unchanged = await getBoard({ headers: { "if-none-match": etag }, throwOnError: false })

await logout({ body: { refreshToken }, throwOnError: true })
const afterwards = await getStanding({ throwOnError: false })

const seen: { readonly [name: string]: string | number | boolean | null | undefined } = {
  wrongPassword: wrong.error?.title,
  messages: repeated.map(({ data }) => data.message).join(", "),
  rank: standing.data.rank,
  newestScore: newest.data.entries[0]?.score,
  olderScore: older.data.entries[0]?.score,
  onPage: page.data.scores[0]?.email,
  boardScore: board.data?.scores[0]?.score,
  unchanged: unchanged.response?.status,
  afterLogout: afterwards.error?.type,
}
console.log(JSON.stringify(seen))
