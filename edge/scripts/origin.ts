import type { Settings } from "../src/Settings.ts"

const LIMIT_MILLIS = 10_000

/** The status of the board at the origin, or why there is none. */
const statusOf = async (
  origin: string,
  headers: Readonly<Record<string, string>>,
): Promise<number | string> => {
  try {
    const signal = AbortSignal.timeout(LIMIT_MILLIS)
    const answer = await fetch(`${origin}/scores`, { headers, signal, redirect: "manual" })
    const text = await answer.text()
    return answer.status !== 200 || text.startsWith('{"scores":[')
      ? answer.status
      : "it answers, but with no board"
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    return cause instanceof Error && "code" in cause && typeof cause.code === "string"
      ? cause.code
      : String(cause)
  }
}

/** What is wrong with the origin, in one line; `isOpen` = nothing, but it answers everybody. */
export const checkOrigin = async ({ ORIGIN = "", EDGE_SECRET = "" }: Settings) => {
  const status = await statusOf(ORIGIN, { "x-edge-secret": EDGE_SECRET })
  if (status === 403) return { mistake: `ORIGIN ${ORIGIN} does not accept this EDGE_SECRET` }
  if (status !== 200) return { mistake: `ORIGIN ${ORIGIN} serves no board (${status})` }
  return { isOpen: (await statusOf(ORIGIN, {})) === 200 }
}
