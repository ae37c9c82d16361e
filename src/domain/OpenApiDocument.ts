/** What `HttpApi` cannot say of the contract, or says otherwise than the server behaves, is put right here alone. */

type JsonObject = Readonly<Record<string, unknown>>

const SCHEMAS = "#/components/schemas/"

/** On every answer. */
const REQUEST_ID = {
  description: "Names this request in the server's log: the `X-Request-Id` that you sent, or a new one.",
  schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  required: true,
}

/** On a 429 of this server; one that passes on the identity provider's refusal has neither. */
const RATE_LIMIT = {
  description: "What is left of the limit that was reached (draft-ietf-httpapi-ratelimit-headers).",
  schema: { type: "string", examples: ['"increment";r=0;t=1'] },
  required: false,
}
const RATE_LIMIT_POLICY = {
  description: "The limit that was reached (draft-ietf-httpapi-ratelimit-headers).",
  schema: { type: "string", examples: ['"increment";q=20;w=2'] },
  required: false,
}

const NOT_CACHED = {
  description: "No cache stores the answer.",
  schema: { type: "string", const: "no-store" },
  required: true,
}
const CACHED_BRIEFLY = {
  description: "Any cache may answer with it for a second, and for a few more while it asks again.",
  schema: { type: "string", examples: ["public, max-age=1, stale-while-revalidate=5"] },
  required: true,
}
const CACHED_FOR_A_SECOND = {
  description: "Any cache may answer with it for a second.",
  schema: { type: "string", const: "public, max-age=1" },
  required: true,
}
const AGE = {
  description: "Present if the server remembered the page: its age in seconds, rounded up.",
  schema: { type: "integer", const: 1 },
  required: false,
}

/** Headers of a success about caches, by operation id; an increment's answer to POST has none. */
const CACHE_HEADERS: Readonly<Record<string, JsonObject>> = {
  login: { "cache-control": NOT_CACHED },
  refresh: { "cache-control": NOT_CACHED },
  logout: { "cache-control": NOT_CACHED },
  getHistory: { "cache-control": NOT_CACHED },
  getStanding: { "cache-control": NOT_CACHED },
  getPage: { "cache-control": CACHED_FOR_A_SECOND, age: AGE },
  getBoard: { "cache-control": CACHED_BRIEFLY },
}

/** Where the generated text repeats the status. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  400: "The request is not as this contract describes it; `errors` says where.",
  500: "The server has failed. The outcome of a POST is unknown.",
}

/** Where in the request the value is: `payload`, `query` or `headers`, then names and indexes. */
const ISSUE_PATH = { type: "array", items: { anyOf: [{ type: "string" }, { type: "integer" }] } }

/** The members of a node of the document; none if it is not an object. */
const members = (node: unknown): JsonObject => (typeof node === "object" && node !== null ? { ...node } : {})

const mapMembers = (node: unknown, map: (value: unknown, key: string) => unknown): JsonObject =>
  Object.fromEntries(Object.entries(members(node)).map(([key, value]) => [key, map(value, key)]))

const without = (node: unknown, name: string): JsonObject =>
  Object.fromEntries(Object.entries(members(node)).filter(([key]) => key !== name))

/** `HttpApi` names a problem after its class, and adds that it means the encoded form. */
const schemaName = (name: string) => name.replace(/(?:Problem)?Encoded$/, "Problem")

const withSchemaNames = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(withSchemaNames)
  if (typeof node !== "object" || node === null) return node
  return mapMembers(node, (value, key) =>
    key === "$ref" && typeof value === "string" ? schemaName(value) : withSchemaNames(value),
  )
}

/** A query or a header is text: the document says which value the text stands for, and describes the field itself. */
const field = (node: unknown): JsonObject => {
  const { schema, ...rest } = members(node)
  const { description, contentSchema, ...text } = members(schema)
  return { ...rest, ...(description === undefined ? {} : { description }), schema: contentSchema ?? text }
}

const response = (node: unknown, status: string, cacheHeaders: JsonObject | undefined): JsonObject => {
  const { description, headers, ...rest } = members(node)
  return {
    ...rest,
    description: DESCRIPTIONS[status] ?? description,
    headers: {
      ...mapMembers(headers, field),
      ...(status === "429" ? { ratelimit: RATE_LIMIT, "ratelimit-policy": RATE_LIMIT_POLICY } : {}),
      ...(Number(status) < 400 ? cacheHeaders : {}),
      "x-request-id": { $ref: "#/components/headers/RequestId" },
    },
  }
}

const operation = (node: unknown): JsonObject => {
  const { parameters, responses, ...rest } = members(node)
  const cacheHeaders = CACHE_HEADERS[String(rest["operationId"])]
  return {
    ...rest,
    parameters: Array.isArray(parameters) ? parameters.map(field) : [],
    responses: mapMembers(responses, (answer, status) => response(answer, status, cacheHeaders)),
  }
}

/** `HttpApi` allows for paths with numbers that JSON cannot represent. */
const issues = (node: unknown): JsonObject => {
  const { items, ...rest } = members(node)
  const { properties, ...item } = members(items)
  return { ...rest, items: { ...item, properties: { ...members(properties), path: ISSUE_PATH } } }
}

/** The server sends all members of a problem but the two that are named here, and never an `instance`. */
const problem = (node: unknown): JsonObject => {
  const schema = members(node)
  const properties = mapMembers(without(schema["properties"], "instance"), (property, name) =>
    name === "errors" ? issues(property) : property,
  )
  const required = Object.keys(properties).filter((name) => name !== "detail" && name !== "errors")
  return { ...schema, properties, required }
}

/** Where the schemas of the request bodies are. */
const requestSchemas = (paths: JsonObject) =>
  new Set(
    Object.values(paths)
      .flatMap((item) => Object.values(members(item)))
      .flatMap((node) => Object.values(members(members(members(node)["requestBody"])["content"])))
      .map((media) => members(members(media)["schema"])["$ref"]),
  )

/** The contract's OpenAPI document, from the one that `HttpApi` generates. */
export const completeDocument = (generated: JsonObject): JsonObject => {
  const document = mapMembers(generated, withSchemaNames)
  const paths = members(document["paths"])
  const components = members(document["components"])
  const requests = requestSchemas(paths)
  const schemas = Object.entries(members(components["schemas"])).map(([generatedName, schema]) => {
    const name = schemaName(generatedName)
    if (name.endsWith("Problem")) return [name, problem(schema)] as const
    // The server ignores members of a request that it does not know.
    return [name, requests.has(SCHEMAS + name) ? without(schema, "additionalProperties") : schema] as const
  })
  return {
    ...document,
    info: { ...members(document["info"]), contact: { name: "the scoreboard authors" } },
    paths: mapMembers(paths, (item) => mapMembers(item, operation)),
    components: {
      ...components,
      schemas: Object.fromEntries(schemas),
      headers: { RequestId: REQUEST_ID },
    },
  }
}
