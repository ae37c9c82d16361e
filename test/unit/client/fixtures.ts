import {
  type BoardView,
  ScoreboardClient,
  type ScoreboardOptions,
} from "../../../src/client/ScoreboardClient.ts"
import type { FakeAnswer, FakeEnvironment } from "./environmentFixtures.ts"

/** A board of one place. */
export const ada = (score: number) => [{ email: "ada@example.com", score }]

/** `GET /scores` answered with `ada(score)`, tagged with the score. */
export const boardAnswer = (score: number, headers: Record<string, string> = {}): FakeAnswer => ({
  status: 200,
  headers: { etag: `"${score}"`, ...headers },
  body: { scores: ada(score) },
})

/** A client that starts with its socket alone, everything it said, and the states it went through. */
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
