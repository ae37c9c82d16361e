import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { WorkerPrograms } from "../../../../src/programs/process/WorkerProcess.ts"
import { Redis } from "../../../../src/services/Redis/Redis.ts"
import { openViewer, until } from "../../../support/fixtures.ts"
import { api, ask, Engine, increment, origin, signIn } from "./fixtures.ts"

const OPTIONS = { timeout: "30 seconds", excludeTestServices: true } as const

/** One increment, seen on both public paths. */
const seen = Effect.gen(function* () {
  yield* Layer.build(WorkerPrograms)
  const viewer = yield* openViewer(`${yield* origin}/scores/websocket`)
  assert.strictEqual((yield* increment(yield* signIn())).status, 200)
  const frame = yield* viewer.until((text) => text.includes('"score":1'))
  const answer = yield* until("the score", ask("/scores"), ({ body }) => body.includes('"score":1'))
  assert.strictEqual(answer.body, frame)
  return answer
})

layer(Engine.layer, OPTIONS)("BOARD_EMAIL", (it) => {
  it.effect("full shows addresses as they are", () =>
    Effect.gen(function* () {
      const { body } = yield* seen
      assert.include(body, '"email":"player0@example.com"')
    }).pipe(Effect.provide(api())),
  )

  it.effect("masked shows no address on any public path, under an ETag of its own", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* seen
      assert.include(body, '"email":"p…0@example.com"')
      assert.notInclude(body, "player0")
      assert.match(String(headers.etag), /-masked"$/)
      const again = yield* ask("/scores", { headers: { "if-none-match": String(headers.etag) } })
      assert.strictEqual(again.status, 304)
      const full = String(headers.etag).replace("-masked", "")
      assert.strictEqual((yield* ask("/scores", { headers: { "if-none-match": full } })).status, 200)
      const inRedis = Option.getOrElse(yield* (yield* Redis).readBoard, () => "")
      assert.include(inRedis, "player0@example.com")
    }).pipe(Effect.provide(api({ env: { BOARD_EMAIL: "masked" } }))),
  )
})
