import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as OpenApi from "effect/http-api/OpenApi"
import { ScoreboardApi } from "../../../src/domain/ScoreboardApi.ts"

const text = JSON.stringify(OpenApi.fromApi(ScoreboardApi))

const Described = Schema.Struct({ description: Schema.NonEmptyString })
const Parameter = Schema.Struct({ name: Schema.String, ...Described.fields, schema: Schema.Unknown })
const Operation = Schema.Struct({
  operationId: Schema.String,
  summary: Schema.NonEmptyString,
  ...Described.fields,
  parameters: Schema.Array(Parameter),
  responses: Schema.Record(
    Schema.String,
    Schema.Struct({
      ...Described.fields,
      headers: Schema.Record(Schema.String, Schema.Unknown),
    }),
  ),
})
const Component = Schema.Struct({
  properties: Schema.Record(Schema.String, Schema.Unknown),
  required: Schema.Array(Schema.String),
  additionalProperties: Schema.optionalKey(Schema.Literal(false)),
})
const document = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      info: Schema.Struct({ contact: Schema.Unknown, license: Schema.Unknown }),
      servers: Schema.Array(Schema.Struct({ url: Schema.String })),
      tags: Schema.Array(Schema.Struct({ name: Schema.String, ...Described.fields })),
      paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Operation)),
      components: Schema.Struct({
        schemas: Schema.Record(Schema.String, Component),
        headers: Schema.Record(Schema.String, Schema.Unknown),
      }),
    }),
  ),
)(text)
const operations = Object.values(document.paths).flatMap((item) => Object.values(item))
const schemas = Object.entries(document.components.schemas)

describe("The OpenAPI document", () => {
  it("names the operations as a client's methods", () => {
    assert.deepStrictEqual(operations.map(({ operationId }) => operationId).toSorted(), [
      "getBoard",
      "getHistory",
      "getPage",
      "getStanding",
      "incrementScore",
      "login",
      "logout",
      "refresh",
    ])
  })

  it("names nobody's address and no host", () => {
    assert.deepStrictEqual(document.info, {
      contact: { name: "the scoreboard authors" },
      license: { name: "MIT", identifier: "MIT" },
    })
    assert.deepStrictEqual(document.servers, [{ url: "/" }])
    assert.notMatch(text, /https?:/)
    assert.deepStrictEqual([...new Set(text.match(/[\w.]+@[\w.]+/g))], ["user@example.com"])
  })

  it("gives every limit as an integer with its range", () => {
    const limits = operations.flatMap(({ parameters }) => parameters.filter(({ name }) => name === "limit"))
    assert.strictEqual(limits.length, 2)
    for (const { schema } of limits) {
      assert.deepStrictEqual(schema, { type: "integer", minimum: 1, maximum: 100, default: 100 })
    }
  })

  it("names a request id on every answer", () => {
    for (const { responses } of operations) {
      for (const { headers } of Object.values(responses)) assert.property(headers, "x-request-id")
    }
  })

  it("requires type, title and status of every problem", () => {
    const problems = schemas.filter(([name]) => name.endsWith("Problem"))
    assert.isAbove(problems.length, 8)
    for (const [name, { required }] of problems) {
      assert.includeMembers([...required], ["type", "title", "status"], name)
    }
  })

  it("leaves requests open and closes answers", () => {
    const open = schemas.filter(([, schema]) => schema.additionalProperties === undefined)
    assert.deepStrictEqual(open.map(([name]) => name).toSorted(), ["Credentials", "RefreshRequest"])
  })

  it("refers only to what it contains", () => {
    const refs = [...text.matchAll(/"\$ref":"#\/components\/(schemas|headers)\/([^"]+)"/g)]
    assert.isNotEmpty(refs)
    for (const [ref, kind, name] of refs) {
      const parts: object = kind === "schemas" ? document.components.schemas : document.components.headers
      assert.property(parts, String(name), ref)
    }
    assert.notMatch(text, /Encoded/)
  })
})
