import * as Effect from "effect/Effect"
import { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import { quantile } from "../figures.ts"

/** The longest that anything may take to come back, in seconds. */
const LIMIT_SECONDS = 90

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

/** Waits until a condition holds: the seconds it took, or infinity. */
const secondsUntil = async (condition: () => boolean | Promise<boolean>): Promise<number> => {
  const begun = performance.now()
  while (!(await condition())) {
    if (performance.now() - begun > LIMIT_SECONDS * 1000) return Infinity
    await sleep(20)
  }
  return (performance.now() - begun) / 1000
}

const readBoard = async (edge: string) => {
  const answer = await fetch(`${edge}/scores`)
  await answer.arrayBuffer()
  return { status: answer.status, ageSeconds: Number(answer.headers.get("age")) }
}

/** Reads the board twice a second for so long. */
const readFor = async (edge: string, seconds: number) => {
  const until = performance.now() + seconds * 1000
  const answers: Array<Awaited<ReturnType<typeof readBoard>>> = []
  while (performance.now() < until) {
    answers.push(await readBoard(edge))
    await sleep(500)
  }
  return answers
}

/** How many viewers are in which state, and the age of the board that they show, in seconds. */
const describe = (clients: ReadonlyArray<ScoreboardClient>) => {
  const states = Object.groupBy(clients, ({ view }) => view.state)
  const ages = clients.map((client) => (client.ageMs() ?? Infinity) / 1000).toSorted((a, b) => a - b)
  return `${Object.entries(states)
    .map(([state, all]) => `${all.length} ${state}`)
    .join(", ")}; the age they show is ${quantile(ages, 0.5).toFixed(0)} s (median)`
}

/** Viewers watch while the API is stopped for so long; prints what they see; false = the bar is missed. */
export const outage = Effect.fnUntraced(function* <E, R>(options: {
  readonly edge: string
  readonly viewers: number
  readonly awaySeconds: number
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<unknown, E, R>
}) {
  const { edge } = options
  const clients = yield* Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: options.viewers }, () => new ScoreboardClient({ url: edge }))),
    (opened) => Effect.sync(() => opened.forEach((client) => client.close())),
  )
  const isLive = ({ view }: ScoreboardClient) => view.state === "live"
  yield* Effect.promise(() => secondsUntil(() => clients.every(isLive)))
  yield* options.stop
  const answers = yield* Effect.promise(() => readFor(edge, options.awaySeconds))
  const seen = describe(clients)
  yield* options.start
  const [fresh, ...live] = yield* Effect.promise(() =>
    Promise.all([
      secondsUntil(async () => (await readBoard(edge)).ageSeconds < 1),
      ...clients.map((client) => secondsUntil(() => isLive(client))),
    ]),
  )
  const sorted = live.toSorted((a, b) => a - b)
  const good = answers.filter(({ status }) => status === 200).length
  const lost = live.filter((time) => time === Infinity).length
  console.log(
    [
      "",
      `API away for ${options.awaySeconds} s: ${good} of ${answers.length} boards answered 200, the last one ${answers.at(-1)?.ageSeconds} s old; viewers: ${seen}`,
      `API back: a fresh board after ${fresh.toFixed(2)} s; viewers live after ${quantile(sorted, 0.5).toFixed(2)} s (p50), ${sorted.at(-1)?.toFixed(2)} s (last); ${lost} of ${live.length} lost`,
    ].join("\n"),
  )
  return good === answers.length && fresh <= 1 && lost === 0
})
