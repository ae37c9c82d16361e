import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Answer, untilSignedIn } from "../../support/fixtures.ts"
import { ask, bearer, PASSWORD, postJson } from "../programs/http/fixtures.ts"
import type { Case } from "./contractCases.ts"
import type { ContractOperation } from "./contractDocument.ts"
import { makeJudge } from "./contractJudge.ts"

/** `CONTRACT_SEED=anything` sends other random requests. */
export const SEED = process.env["CONTRACT_SEED"] ?? "1"

export const contract = Effect.map(ask("/openapi.json"), ({ body }) => makeJudge(body))

const Tokens = Schema.fromJsonString(
  Schema.Struct({ accessToken: Schema.String, refreshToken: Schema.String }),
)

/** What makes a request to any operation valid. */
interface Valid {
  readonly headers: Readonly<Record<string, string>>
  bodyOf(operation: ContractOperation): Readonly<Record<string, string>>
}

const validFor = (index: number, accessToken: string, refreshToken: string): Valid => ({
  headers: bearer(accessToken),
  bodyOf: ({ operationId }) =>
    operationId === "login" ? { email: `player${index}@example.com`, password: PASSWORD } : { refreshToken },
})

export const signInAs = Effect.fnUntraced(function* (index: number) {
  const { body } = yield* untilSignedIn(
    ask("/users/auth/login", postJson({ email: `player${index}@example.com`, password: PASSWORD })),
  )
  const { accessToken, refreshToken } = yield* Schema.decodeUnknownEffect(Tokens)(body)
  return validFor(index, accessToken, refreshToken)
})

/** The simplest valid request. */
export const send = (
  operation: ContractOperation,
  valid: Valid,
  headers: Readonly<Record<string, string>> = {},
) =>
  ask(operation.path, {
    method: operation.method,
    headers: { "content-type": "application/json", ...valid.headers, ...headers },
    ...(operation.body === undefined ? {} : { body: JSON.stringify(valid.bodyOf(operation)) }),
  })

const isAsExpected = ({ expected }: Case, { status }: Answer) =>
  expected === "accepted" ? ![400, 413, 415].includes(status) : status === expected

type Judge = ReturnType<typeof makeJudge>["judge"]

/** What is wrong with the answer to a case, as lines that say how to send it again. */
export const complaints = (judge: Judge, one: Case, answer: Answer): ReadonlyArray<string> =>
  [
    ...(answer.status >= 500 ? [`has the status ${answer.status}`] : []),
    ...(isAsExpected(one, answer) ? [] : [`has the status ${answer.status} instead of ${one.expected}`]),
    ...judge(one.operation, answer),
  ].map((what) => `CONTRACT_SEED=${SEED}: ${one.operation.operationId}, ${one.title}: the answer ${what}`)

/** Asserts that every operation that lists a status gives it to the simplest request, as the contract says. */
export const eachAnswers = Effect.fnUntraced(function* (status: number, valid: Valid, tries = 1) {
  const { operations, judge } = yield* contract
  const listing = operations.filter(({ responses }) => String(status) in responses)
  assert.isNotEmpty(listing)
  for (const operation of listing) {
    let answer = yield* send(operation, valid)
    for (let more = 1; more < tries && answer.status !== status; more++)
      answer = yield* send(operation, valid)
    assert.strictEqual(answer.status, status, operation.operationId)
    assert.deepStrictEqual(judge(operation, answer), [], operation.operationId)
  }
})

/** The bytes of a problem as an answer; its body is one chunk. */
export const parseProblem = (bytes: string): Answer => {
  const [head = "", body = ""] = bytes.split("\r\n\r\n")
  const [statusLine = "", ...lines] = head.split("\r\n")
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: Object.fromEntries(headers),
    body: body.split("\r\n")[1] ?? "",
  }
}

export const nobody = validFor(0, "no.valid.token", "no-valid-token")
