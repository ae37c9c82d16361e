import * as Effect from "effect/Effect"
import { BOARD_KEY } from "../../src/domain/BoardCache.ts"
import { parseBoard } from "../../src/client/BoardGuard.ts"
import * as Truth from "../../test/support/invariants/Truth.ts"
import { request, until } from "../../test/support/fixtures.ts"
import { System } from "../../test/support/system/System.ts"
import type { Answers } from "./load.ts"

/** Numbers of requests that are compared at one time. */
const CHUNK = 50_000

/** What does not hold after a run: what was lost or counted twice, and who does not show the board. */
export const findingsAfter = Effect.fnUntraced(function* (answers: Answers, firstEvent: number) {
  const { postgres, processes, redis } = yield* System
  const findings: Array<string> = []
  yield* until("all messages are sent", Truth.waiting(postgres.url), (rows) => rows === 0, "1 minute")

  const counted = yield* Truth.numbersOfKeys(postgres.url, firstEvent, CHUNK)
  let lost = 0
  for (const n of answers.accepted) if (!counted.has(n)) lost += 1
  if (lost > 0) findings.push(`${lost} requests were answered 200 and are not in the history`)
  if (counted.size > answers.sent) findings.push(`${counted.size} counted, ${answers.sent} sent`)
  findings.push(...(yield* Truth.broken(postgres.url)))

  const truth = JSON.stringify(yield* Truth.top(postgres.url))
  const boards = {
    Redis: redis.withClient((client) => Effect.promise(() => client.get(BOARD_KEY))),
    "api-1": Effect.map(request(`${processes["api-1"].url}/scores`), ({ body }) => body),
    "api-2": Effect.map(request(`${processes["api-2"].url}/scores`), ({ body }) => body),
  }
  for (const [name, board] of Object.entries(boards)) {
    const shown = Effect.map(board, (text) => JSON.stringify(parseBoard(text)) === truth)
    const isRight = yield* Effect.exit(until(`${name} shows the board`, shown, Boolean, "10 seconds"))
    if (isRight._tag === "Failure") findings.push(`${name} does not show the board of PostgreSQL`)
  }
  return findings
})
