import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import type { Scores } from "../../src/domain/Score.ts"

/** What runs in a tab of a browser that opened the page of some release. */
export interface Tab {
  /** The board that it shows. */
  readonly newest: () => Scores | undefined
  /** Scores that fell on its board. */
  readonly falls: ReadonlyArray<string>
}

const decodeModule = Schema.decodeUnknownSync(
  Schema.Struct({
    ScoreboardClient: Schema.declare(
      (value): value is typeof ScoreboardClient => typeof value === "function",
    ),
  }),
)

/** The live client of the page, from the code in a folder, until the scope ends. The server may be of another release. */
export const openTab = Effect.fnUntraced(function* (name: string, folder: string, url: string) {
  const file = pathToFileURL(join(folder, "src/client/ScoreboardClient.ts")).href
  const loaded: unknown = yield* Effect.promise(() => import(/* @vite-ignore */ file))
  const { ScoreboardClient: Client } = decodeModule(loaded)
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Client({ url })),
    (opened) => Effect.sync(() => opened.close()),
  )
  const falls: Array<string> = []
  const best = new Map<string, number>()
  client.subscribe(({ scores }) => {
    for (const { email, score } of scores ?? []) {
      const before = best.get(email) ?? 0
      if (score < before) falls.push(`${name} showed ${email} at ${before}, then at ${score}`)
      best.set(email, score)
    }
  })
  const tab: Tab = { newest: () => client.view.scores, falls }
  return tab
})
