import * as Schema from "effect/Schema"

/** The parts of an OpenAPI document that the fuzzer reads. */

/** The JSON Schemas of this contract's requests: what a text, an integer or an object may be. */
export interface RequestSchema {
  readonly type: "string" | "integer" | "object"
  readonly minLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly required?: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, RequestSchema>>
}

const RequestSchema: Schema.Codec<RequestSchema> = Schema.Struct({
  type: Schema.Literals(["string", "integer", "object"]),
  minLength: Schema.optionalKey(Schema.Int),
  pattern: Schema.optionalKey(Schema.String),
  minimum: Schema.optionalKey(Schema.Int),
  maximum: Schema.optionalKey(Schema.Int),
  required: Schema.optionalKey(Schema.Array(Schema.String)),
  properties: Schema.optionalKey(
    Schema.Record(
      Schema.String,
      Schema.suspend(() => RequestSchema),
    ),
  ),
})

const Reference = Schema.Struct({ $ref: Schema.String })

const Header = Schema.Struct({
  required: Schema.Boolean,
  schema: Schema.Record(Schema.String, Schema.Unknown),
})
export type Header = typeof Header.Type

const Operation = Schema.Struct({
  operationId: Schema.String,
  security: Schema.Array(Schema.Unknown),
  parameters: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      in: Schema.Literals(["query", "header"]),
      schema: RequestSchema,
    }),
  ),
  requestBody: Schema.optionalKey(
    Schema.Struct({ content: Schema.Record(Schema.String, Schema.Struct({ schema: Reference })) }),
  ),
  responses: Schema.Record(
    Schema.String,
    Schema.Struct({
      content: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
      headers: Schema.Record(Schema.String, Schema.Union([Reference, Header])),
    }),
  ),
})

const Document = Schema.fromJsonString(
  Schema.Struct({
    paths: Schema.Record(Schema.String, Schema.Record(Schema.String, Operation)),
    components: Schema.Struct({
      schemas: Schema.Record(Schema.String, Schema.Unknown),
      headers: Schema.Record(Schema.String, Header),
    }),
  }),
)

/** One operation of the contract. */
export interface ContractOperation extends Omit<typeof Operation.Type, "security" | "requestBody"> {
  readonly path: string
  /** In capitals. */
  readonly method: string
  readonly needsToken: boolean
  /** The schema of a JSON body, if the operation takes one. */
  readonly body: RequestSchema | undefined
}

const lastPart = (reference: string) => reference.slice(reference.lastIndexOf("/") + 1)

/** The operations of a document, and the headers that its answers share. */
export const readContract = (json: string) => {
  const { paths, components } = Schema.decodeUnknownSync(Document)(json)
  const bodyOf = ({ requestBody }: typeof Operation.Type) => {
    const schema = requestBody?.content["application/json"]?.schema
    if (schema === undefined) return undefined
    return Schema.decodeUnknownSync(RequestSchema)(components.schemas[lastPart(schema.$ref)])
  }
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): ContractOperation => ({
      ...operation,
      path,
      method: method.toUpperCase(),
      needsToken: operation.security.length > 0,
      body: bodyOf(operation),
    })),
  )
  const headerOf = (header: Header | typeof Reference.Type): Header => {
    if (!("$ref" in header)) return header
    const shared = components.headers[lastPart(header.$ref)]
    if (shared === undefined) throw new Error(`The document has no ${header.$ref}`)
    return shared
  }
  return { operations, headerOf }
}
