import * as PgClient from "@effect/sql-pg/PgClient"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { execFile } from "node:child_process"
import { join } from "node:path"

const MAIN = join(import.meta.dirname, "../../../../src/main-admin.ts")

/** Runs the command as a process of its own, on the database of the API under test. */
export const admin = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { config } = yield* PgClient.PgClient
    const env = { DATABASE_URL: config.url === undefined ? "" : Redacted.value(config.url) }
    return yield* Effect.callback<{ code: number; out: string; err: string }>((resume) => {
      const child = execFile(process.execPath, [MAIN, ...args], { env }, (error, out, err) =>
        resume(Effect.succeed({ code: error === null ? 0 : Number(error.code), out, err })),
      )
      return Effect.sync(() => child.kill("SIGKILL"))
    })
  })

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const decodeLine = Schema.decodeUnknownSync(Line)
const lines = (out: string) =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => decodeLine(line))

/** An operator's command that succeeds, and what it reports. */
export const done = (...args: ReadonlyArray<string>) =>
  Effect.map(admin(...args), ({ code, out, err }) => {
    assert.strictEqual(code, 0, err)
    return lines(out)
  })

/** The id of the player with this e-mail. */
export const idOf = (email: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const [player] = yield* sql<{ readonly id: string }>`select id from users where email = ${email}`
    return player?.id ?? ""
  })

/** The address of the first player of `api()`. */
export const EMAIL = "player0@example.com"

/** The amounts of all history sum to the scores, and no score is below 0. */
export const consistent = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const wrong = yield* sql`
select user_id from scores s full join (select user_id, sum(coalesce(points, amount)) as total from score_events group by user_id) e using (user_id)
where s.score is distinct from e.total or s.score < 0`
  assert.deepStrictEqual(wrong, [])
})
