import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { HOW_TO_INSTALL, TOOLS } from "./openApiTools.ts"

/** A compiled JSON Schema; `errors` is what the last value was refused for. */
export interface Validate {
  (value: unknown): boolean
  readonly errors?: ReadonlyArray<object> | null
}

/** The part of Ajv that is used here. */
interface Ajv {
  addVocabulary(keywords: ReadonlyArray<string>): unknown
  addSchema(schema: object, key: string): unknown
  compile(schema: object): Validate
  errorsText(errors: ReadonlyArray<object> | null | undefined): string
}

const has = (module: unknown, name: string) =>
  (typeof module === "object" || typeof module === "function") && module !== null && name in module

const isAjv2020 = (module: unknown): module is { readonly Ajv2020: new (options: object) => Ajv } =>
  has(module, "Ajv2020")

const isFormats = (module: unknown): module is { readonly default: (ajv: Ajv) => unknown } =>
  has(module, "default")

/** A validator for JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
export const makeAjv = (): Ajv => {
  const load = createRequire(join(TOOLS, "package.json"))
  if (!existsSync(join(TOOLS, "node_modules/ajv"))) throw new Error(HOW_TO_INSTALL)
  const ajvModule: unknown = load("ajv/dist/2020.js")
  const formats: unknown = load("ajv-formats")
  if (!isAjv2020(ajvModule) || !isFormats(formats)) throw new Error("Ajv no longer exports what is used here")
  const ajv = new ajvModule.Ajv2020({ allErrors: true })
  formats.default(ajv)
  return ajv
}
