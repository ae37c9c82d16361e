import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { temporaryFolder } from "../../support/fixtures.ts"

const root = join(import.meta.dirname, "../../..")

/** Checks a lock file with these packages: the exit code, and what is printed. */
const check = Effect.fnUntraced(function* (packages: Readonly<Record<string, object>>) {
  const path = join(yield* temporaryFolder, "package-lock.json")
  const installed: Record<string, object> = { "": { license: "UNLICENSED" } }
  for (const [name, entry] of Object.entries(packages)) installed[`node_modules/${name}`] = entry
  yield* Effect.promise(() => writeFile(path, JSON.stringify({ packages: installed })))
  return yield* Effect.callback<{ readonly code: number; readonly output: string }>((resume) => {
    const child = execFile(
      process.execPath,
      [join(root, "scripts/licences.ts"), path],
      (error, stdout, stderr) =>
        resume(Effect.succeed({ code: error === null ? 0 : 1, output: stdout + stderr })),
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
})

describe("The licences of what runs in production", () => {
  it.live("are refused if they ask for more than their text, are not stated, or cannot be read", () =>
    Effect.gen(function* () {
      const { code, output } = yield* check({
        good: { version: "1.0.0", license: "MIT" },
        copyleft: { version: "1.2.3", license: "GPL-3.0-only" },
        both: { version: "1.2.3", license: "MIT AND AGPL-3.0-only" },
        silent: { version: "1.2.3" },
        list: { version: "1.2.3", license: [{ type: "MIT" }] },
      })
      assert.strictEqual(code, 1)
      assert.deepStrictEqual(output.trimEnd().split("\n"), [
        'copyleft 1.2.3: licence "GPL-3.0-only"',
        'both 1.2.3: licence "MIT AND AGPL-3.0-only"',
        "silent 1.2.3: licence not stated",
        'list 1.2.3: licence [{"type":"MIT"}]',
        "Allowed are 0BSD, Apache-2.0, BSD-2-Clause, BSD-3-Clause, ISC, MIT",
      ])
    }).pipe(Effect.scoped),
  )

  it.live("are allowed if a choice is, and of no concern for what only builds and tests", () =>
    Effect.gen(function* () {
      const { code, output } = yield* check({
        good: { license: "MIT" },
        choice: { license: "(GPL-3.0-only OR MIT)" },
        tool: { license: "GPL-3.0-only", dev: true },
      })
      assert.deepStrictEqual(
        { code, output },
        {
          code: 0,
          output: "2 packages run in production, each under an allowed licence\n",
        },
      )
    }).pipe(Effect.scoped),
  )
})
