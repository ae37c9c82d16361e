import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RequestOptions } from "../../support/fixtures.ts"
import type { ContractOperation, RequestSchema } from "./contractDocument.ts"

/** Requests that are derived from the contract, each with what the contract says of its answer. */

export interface Case {
  readonly operation: ContractOperation
  /** What is special about it. */
  readonly title: string
  /** With the query. */
  readonly path: string
  readonly request: RequestOptions
  /** The status that the contract asks for; "accepted" is any but 400, 413 and 415. */
  readonly expected: "accepted" | 400 | 401 | 413 | 415
}

/** What a case changes of the simplest valid request; the rest stays. */
interface Change {
  readonly title: string
  readonly expected: Case["expected"]
  readonly query?: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** Of the public contract: the server reads at most this many bytes of a body. */
const MAX_BODY_BYTES = 16 * 1024

const NO_INTEGERS = [
  "",
  " ",
  " 5",
  "5 ",
  "+5",
  "-5",
  "05",
  "0x10",
  "0b1",
  "1e2",
  "5.0",
  "5.",
  ".5",
  "1_0",
  "five",
]
const STRANGE_INTEGERS = [
  "٥",
  "５",
  "NaN",
  "Infinity",
  "null",
  "true",
  "[5]",
  "5,6",
  "5\u0000",
  "9".repeat(400),
]
const STRANGE_TEXTS = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\r\n",
  "\ufeff",
  "\ud800",
  "é",
  "👩‍👩‍👧",
  "٣",
  "../../etc/passwd",
  "'; drop table scores; --",
  "%00",
  "${x}",
  "__proto__",
  "0",
  "-1",
  "9".repeat(19),
  "x".repeat(256),
]

/** What a client can put into a header: Node refuses the rest, and a server sees no white space around it. */
const fitsHeader = (text: string) => /^[\x20-\x7e\xa0-\xff]*$/.test(text) && text.trim() === text

/** Texts that a schema allows: random ones, and those of the strange ones that fit. */
const textsOf = (schema: RequestSchema, seed: string) => {
  const { pattern, minLength = 0 } = schema
  const regExp = pattern === undefined ? undefined : new RegExp(pattern, "u")
  const fits = (text: string) => text.length >= minLength && regExp?.test(text) !== false
  const checked = Schema.String.check(Schema.isMinLength(minLength))
  const typed = regExp === undefined ? checked : checked.check(Schema.isPattern(regExp))
  return Effect.map(Arbitrary.sampleEffect(Arbitrary.schema(typed), { count: 8, seed }), (random) => ({
    valid: [...random, ...STRANGE_TEXTS.filter(fits)],
    invalid: STRANGE_TEXTS.filter((text) => !fits(text)),
  }))
}

const integersOf = ({ minimum = 0, maximum = 0 }: RequestSchema, seed: string) => {
  const typed = Schema.Int.check(Schema.isBetween({ minimum, maximum }))
  return Effect.map(Arbitrary.sampleEffect(Arbitrary.schema(typed), { count: 8, seed }), (random) => ({
    valid: [minimum, maximum, ...random].map(String),
    invalid: [...NO_INTEGERS, ...STRANGE_INTEGERS, String(minimum - 1), String(maximum + 1)],
  }))
}

/** Valid and invalid values of a query parameter or a header, as they are written. */
const writtenValues = (schema: RequestSchema, seed: string) =>
  schema.type === "integer" ? integersOf(schema, seed) : textsOf(schema, seed)

const parameterChanges = (operation: ContractOperation, seed: string) =>
  Effect.forEach(operation.parameters, ({ name, in: place, schema }) =>
    Effect.map(writtenValues(schema, `${seed} ${name}`), ({ valid, invalid }) => {
      const change = (value: string, expected: Case["expected"]): Change => ({
        title: `${name} = ${JSON.stringify(value)}`,
        expected,
        ...(place === "query" ? { query: [[name, value]] } : { headers: { [name]: value } }),
      })
      const sendable = (value: string) => place === "query" || fitsHeader(value)
      const twice = valid.slice(0, 2).map((value): readonly [string, string] => [name, value])
      return [
        ...valid.filter(sendable).map((value) => change(value, "accepted")),
        ...invalid.filter(sendable).map((value) => change(value, 400)),
        ...(place === "query" ? [{ title: `${name} twice`, expected: 400, query: twice } as const] : []),
      ]
    }),
  ).pipe(Effect.map((changes) => changes.flat()))

/** Values of every JSON type. */
const JSON_VALUES = [null, true, 0, 1.5, "", [], ["x"], {}, { x: 1 }]

/** Bodies that are no JSON object at all. */
const NO_OBJECTS: ReadonlyArray<readonly [string, string | Buffer]> = [
  ["nothing", ""],
  ["half of an object", '{"'],
  ["two objects", "{}{}"],
  ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
  ["no UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ["a deep list", "[".repeat(8000)],
  ...[null, true, 1, "x", [], [{}]].map((value) => [JSON.stringify(value), JSON.stringify(value)] as const),
]

const bodyChanges = Effect.fnUntraced(function* (
  schema: RequestSchema,
  base: Readonly<Record<string, unknown>>,
  seed: string,
) {
  const { properties = {}, required = [] } = schema
  const change = (title: string, body: unknown, expected: Case["expected"]): Change => ({
    title,
    expected,
    body: JSON.stringify(body),
  })
  const fields = yield* Effect.forEach(Object.entries(properties), ([name, property]) =>
    Effect.map(textsOf(property, `${seed} ${name}`), ({ valid, invalid }) => {
      const wrongTypes = JSON_VALUES.filter((value) => typeof value !== property.type)
      const missing = Object.fromEntries(Object.entries(base).filter(([key]) => key !== name))
      return [
        ...valid.map((value) =>
          change(`${name}: ${JSON.stringify(value)}`, { ...base, [name]: value }, "accepted"),
        ),
        ...[...invalid, ...wrongTypes].map((value) =>
          change(`${name}: ${JSON.stringify(value)}`, { ...base, [name]: value }, 400),
        ),
        change(`without ${name}`, missing, required.includes(name) ? 400 : "accepted"),
      ]
    }),
  )
  const text = JSON.stringify(base)
  return [
    ...fields.flat(),
    ...NO_OBJECTS.map(([title, body]): Change => ({ title: `a body of ${title}`, body, expected: 400 })),
    change(
      "with members that nobody knows",
      { ...base, amount: 100, nested: { a: [1] }, "": null },
      "accepted",
    ),
    { title: "with __proto__", body: `{"__proto__":{"a":1},${text.slice(1)}`, expected: "accepted" },
    { title: "with white space", body: ` \r\n\t${text}\n`, expected: "accepted" },
    { title: "with escapes", body: text.replaceAll("e", "\\u0065"), expected: "accepted" },
    { title: "of the greatest size", body: text.padEnd(MAX_BODY_BYTES), expected: "accepted" },
  ] satisfies ReadonlyArray<Change>
})

const CHUNKED = { "transfer-encoding": "chunked" }

/** For operations that read a body. */
const mediaChanges = (text: string): ReadonlyArray<Change> => [
  ...["application/json; charset=utf-8", "Application/JSON"].map((type): Change => {
    return { title: `as ${type}`, headers: { "content-type": type }, body: text, expected: "accepted" }
  }),
  ...[
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "json",
    "*/*",
  ].map((type): Change => ({
    title: `as ${type}`,
    headers: { "content-type": type },
    body: text,
    expected: 415,
  })),
  { title: "chunked", headers: CHUNKED, body: text, expected: "accepted" },
  { title: "chunked and too large", headers: CHUNKED, body: text.padEnd(MAX_BODY_BYTES + 1), expected: 413 },
]

/** Values of `Authorization` that are no valid access token. */
const NO_TOKENS = [
  "",
  "Bearer",
  "Bearer ",
  "Bearer x",
  "Bearer a.b.c",
  "Basic eDp5",
  "bearer é",
  "Token x",
  "Bearer  x y",
]

const tokenChanges: ReadonlyArray<Change> = NO_TOKENS.map((authorization) => ({
  title: `authorization: ${authorization}`,
  headers: { authorization },
  expected: 401,
}))

/** What every operation takes. */
const commonChanges = (operation: ContractOperation, text: string): ReadonlyArray<Change> => [
  { title: "the simplest request", expected: "accepted" },
  {
    title: "a query that nobody knows",
    query: [
      ["x", "1"],
      ["", ""],
      ["%", "&="],
    ],
    expected: "accepted",
  },
  {
    title: "headers that nobody knows",
    headers: { "x-amount": "5", accept: "text/html" },
    expected: "accepted",
  },
  ...(operation.method === "POST"
    ? [{ title: "a body that is too large", body: text.padEnd(MAX_BODY_BYTES + 1), expected: 413 } as const]
    : []),
]

const toCase =
  (operation: ContractOperation, text: string, headers: Readonly<Record<string, string>>) =>
  (change: Change): Case => {
    const query = (change.query ?? [])
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`)
      .join("&")
    const content = operation.body === undefined ? {} : { "content-type": "application/json" }
    const body = change.body ?? text
    return {
      operation,
      title: change.title,
      path: query === "" ? operation.path : `${operation.path}?${query}`,
      expected: change.expected,
      request: {
        method: operation.method,
        headers: { ...content, ...headers, ...change.headers },
        ...(operation.method === "POST" ? { body } : {}),
      },
    }
  }

/**
 * All cases of an operation for a seed: the same ones for the same seed. `headers` and `base` (the body) make a request
 * to it that is valid.
 */
export const casesOf = Effect.fnUntraced(function* (
  operation: ContractOperation,
  options: {
    readonly seed: string
    readonly headers: Readonly<Record<string, string>>
    readonly base: Readonly<Record<string, unknown>>
  },
) {
  const seed = `${options.seed} ${operation.operationId}`
  const text = operation.body === undefined ? "" : JSON.stringify(options.base)
  const changes = [
    ...commonChanges(operation, text),
    ...(yield* parameterChanges(operation, seed)),
    ...(operation.needsToken ? tokenChanges : []),
    ...(operation.body === undefined
      ? []
      : [...(yield* bodyChanges(operation.body, options.base, seed)), ...mediaChanges(text)]),
  ]
  return changes.map(toCase(operation, text, options.headers))
})
