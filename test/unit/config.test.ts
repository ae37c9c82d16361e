import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** The text between a parenthesis that opens at `start` and the one that closes it. */
const argumentsAt = (text: string, start: number): string => {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === "(") depth++
    if (text[at] === ")" && --depth === 0) return text.slice(start + 1, at)
  }
  return text.slice(start + 1)
}

/** Asks only whether a variable that another file read is set, by the name in that file's error. */
const DESCRIBES_OTHERS = join("src", "programs", "process", "Startup.ts")

/** Everything that `src` reads: each constructor of `Config` takes the variable's name as its last argument. */
const reads = globSync("src/**/*.ts", { cwd: root, exclude: [DESCRIBES_OTHERS] }).flatMap((path) => {
  const text = read(path)
  return Array.from(text.matchAll(/\bConfig\.(?:[A-Z]\w*|schema)\(/g), (call) => {
    const inside = argumentsAt(text, call.index + call[0].length - 1)
    return { path, call: `${call[0]}${inside})`, name: /"([A-Z][A-Z0-9_]*)",?\s*$/.exec(inside)?.[1] }
  })
})

/** The names in the first column of the table under a heading of docs/configuration.md. */
const documented = (heading: string): ReadonlyArray<string> => {
  const section = read("docs/configuration.md")
    .split(/^## /m)
    .find((part) => part.startsWith(`${heading}\n`))
  assert.isDefined(section, `docs/configuration.md has no section "${heading}"`)
  return Array.from(section.matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm), (row) => row[1] ?? "")
}

const sorted = (names: Iterable<string | undefined>): ReadonlyArray<string> =>
  [...new Set(names)].map(String).toSorted()

describe("Configuration", () => {
  it("names every variable where it is read", () => {
    const nameless = reads.filter(({ name }) => name === undefined)
    assert.deepStrictEqual(nameless, [])
    assert.isNotEmpty(reads)
  })

  it("has one row in docs/configuration.md for each variable that is read, and no other", () => {
    const rows = documented("Variables")
    assert.deepStrictEqual(sorted(rows), sorted(reads.map(({ name }) => name)))
    assert.strictEqual(new Set(rows).size, rows.length, "a variable has two rows")
  })

  it("shows each documented variable in .env.example, and no other", () => {
    const examples = Array.from(read(".env.example").matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm), (line) => line[1])
    assert.deepStrictEqual(
      sorted(examples),
      sorted([...documented("Variables"), ...documented("The AWS SDK's own")]),
    )
  })
})

/** What a deployment behind a load balancer and CloudFront has to decide, beside what has no default. */
const BEHIND_A_BALANCER = [
  "PORT",
  "MANAGEMENT_PORT",
  "TRUSTED_PROXY_HOPS",
  "CORS_ORIGINS",
  "EDGE_SECRET",
  "WEBSOCKET_MAX_PER_ADDRESS",
  "SHUTDOWN_DELAY",
  "SHUTDOWN_TIMEOUT",
  "REFRESH_TOKEN_LIFETIME",
  "COGNITO_CLIENT_SECRET",
  "EMAIL_UNVERIFIED",
]

/** Names on that page that are no variables of ours: a variable of Node, and two flows of Cognito. */
const FOREIGN = ["NODE_EXTRA_CA_CERTS", "USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"]

describe("docs/aws.md", () => {
  const page = read("docs/aws.md")
  const named = new Set(
    Array.from(page.replaceAll(/^```[^]*?^```/gm, "").matchAll(/`([^`]+)`/g), ([, code]) => code ?? "")
      .flatMap((code) => code.split(/\s+/))
      .flatMap((word) => /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT)(?:=.*)?$/.exec(word)?.[1] ?? []),
  )
  const number = (pattern: RegExp) => {
    const [, digits] = pattern.exec(page) ?? []
    assert.isDefined(digits, String(pattern))
    return Number(digits)
  }

  it("names only variables that exist", () => {
    const existing = new Set([...documented("Variables"), ...documented("The AWS SDK's own"), ...FOREIGN])
    assert.deepStrictEqual(
      [...named].filter((name) => !existing.has(name)),
      [],
    )
    assert.isNotEmpty(named)
  })

  it("names every variable without a default, and all that matter behind a load balancer", () => {
    const withoutDefault = Array.from(
      read("docs/configuration.md").matchAll(
        /^\| `([A-Z][A-Z0-9_]*)` \| –[^|,]*\| [^|]*\b(?:API|worker)\b/gm,
      ),
      ([, name]) => name ?? "",
    )
    assert.includeMembers(withoutDefault, ["REDIS_URL", "SQS_QUEUE_URL", "COGNITO_CLIENT_ID"])
    assert.deepStrictEqual(
      [...withoutDefault, ...BEHIND_A_BALANCER].filter((name) => !named.has(name)),
      [],
    )
  })

  it("gives a stopping process the time that its load balancer needs, and SIGKILL after that", () => {
    const interval = number(/--health-check-interval-seconds (\d+)/)
    const threshold = number(/--unhealthy-threshold-count (\d+)/)
    const delay = number(/`SHUTDOWN_DELAY=(\d+) seconds`/)
    const timeout = number(/`SHUTDOWN_TIMEOUT` \((\d+) s/)
    assert.isAbove(delay, interval * threshold)
    assert.isAbove(number(/`stopTimeout` of (\d+) s/), delay + timeout)
  })
})
