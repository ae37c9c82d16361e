import type { Answer } from "../../support/fixtures.ts"
import { type ContractOperation, type Header, readContract } from "./contractDocument.ts"
import { makeAjv, type Validate } from "./contractValidator.ts"

/** As in a JSON pointer inside of a URI fragment. */
const pointerPart = (part: string) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))

const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const readObject = (json: string): object => {
  const value = parse(json)?.value
  return typeof value === "object" && value !== null ? value : {}
}

/** The value that the text of a header stands for. */
const headerValue = ({ schema }: Header, text: string): unknown =>
  schema["type"] === "integer" && /^(?:0|-?[1-9][0-9]*)$/.test(text) ? Number(text) : text

/**
 * Compares answers with the contract. `judge` gives everything that an answer to an operation breaks: its status, the
 * type and the schema of its body, its headers. Nothing = the answer is as the contract says.
 */
export const makeJudge = (json: string) => {
  const contract = readContract(json)
  const ajv = makeAjv()
  const document = readObject(json)
  // The members of the document itself are no keywords of JSON Schema; in a schema an unknown keyword is an error.
  ajv.addVocabulary(Object.keys(document))
  ajv.addSchema(document, "contract")
  const compiled = new Map<string, Validate>()
  const validator = (...path: ReadonlyArray<string>) => {
    const $ref = `contract#/${path.map(pointerPart).join("/")}`
    let validate = compiled.get($ref)
    if (validate === undefined) compiled.set($ref, (validate = ajv.compile({ $ref })))
    return validate
  }

  const judgeBody = (operation: ContractOperation, answer: Answer): ReadonlyArray<string> => {
    const status = String(answer.status)
    const content = operation.responses[status]?.content
    if (content === undefined) return answer.body === "" ? [] : [`has a body: ${answer.body}`]
    const type = String(answer.headers["content-type"]).split(";")[0] ?? ""
    if (content[type] === undefined) return [`has the content type ${type}`]
    const parsed = parse(answer.body)
    if (parsed === undefined) return [`has a body that is no JSON: ${answer.body}`]
    const { path, method } = operation
    const validate = validator(
      "paths",
      path,
      method.toLowerCase(),
      "responses",
      status,
      "content",
      type,
      "schema",
    )
    return validate(parsed.value)
      ? []
      : [`has a wrong body: ${ajv.errorsText(validate.errors)}: ${answer.body}`]
  }

  const judgeHeaders = (operation: ContractOperation, answer: Answer): ReadonlyArray<string> =>
    Object.entries(operation.responses[answer.status]?.headers ?? {}).flatMap(([name, reference]) => {
      const header = contract.headerOf(reference)
      const text = answer.headers[name]
      if (text === undefined) return header.required ? [`lacks the header ${name}`] : []
      const validate = ajv.compile(header.schema)
      return validate(headerValue(header, String(text)))
        ? []
        : [`has a wrong ${name}: ${String(text)}: ${ajv.errorsText(validate.errors)}`]
    })

  const judge = (operation: ContractOperation, answer: Answer): ReadonlyArray<string> =>
    operation.responses[answer.status] === undefined
      ? [`has the status ${answer.status}, which the contract does not list`]
      : [...judgeBody(operation, answer), ...judgeHeaders(operation, answer)]

  return { operations: contract.operations, judge }
}
