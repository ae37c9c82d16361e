import {
  type BoardView,
  ScoreboardClient,
  type ScoreboardOptions,
} from "../../../src/client/ScoreboardClient.ts"
import type { FakeAnswer, FakeEnvironment } from "./environmentFixtures.ts"

/** A board of one place. */
export const ada = (score: number) => [{ email: "ada@example.com", score }]

/** An answer of `GET /scores` with the board `ada(score)`, and the score as its tag. */
export const boardAnswer = (score: number, headers: Record<string, string> = {}): FakeAnswer => ({
  status: 200,
  headers: { etag: `"${score}"`, ...headers },
  body: { scores: ada(score) },
})

/** Starts a client with its socket alone. Also returns all its views and the states that it went through. */
export const startClient = (environment: FakeEnvironment, options: Partial<ScoreboardOptions> = {}) => {
  const client = new ScoreboardClient({
    url: "https://board.example",
    environment,
    fetchFirst: false,
    ...options,
  })
  const views: BoardView[] = []
  client.subscribe((view) => views.push(view))
  const states = () => views.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1])
  return { client, views, states }
}
