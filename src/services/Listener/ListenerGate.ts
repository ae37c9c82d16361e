import * as Config from "effect/Config"
import type * as Context from "effect/Context"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { hash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { labelledCounter } from "../../foundation/LabelledCounter.ts"

/** The header in which the edge proves that it is ours. */
export const EDGE_SECRET_HEADER = "x-edge-secret"

/** 32 characters from `openssl rand -base64 24` have 192 bits: nobody guesses them. */
const Secrets = Schema.String.check(
  Schema.makeFilter((text) => text.split(",").every((secret) => /^[!-~]{32,}$/.test(secret.trim())), {
    expected: "secrets of at least 32 visible ASCII characters each, separated by commas",
  }),
)

/** The secrets of the edge in front, any of which opens; none = everybody may come. Two while the secret is changed. */
export const gateConfig = {
  edgeSecrets: Config.schema(Secrets, "EDGE_SECRET").pipe(
    Config.map((text) => text.split(",").map((secret) => Redacted.make(secret.trim()))),
    Config.withDefault<ReadonlyArray<Redacted.Redacted>>([]),
  ),
}

const strangers = labelledCounter({
  name: "edge_refused_total",
  description: "Requests that did not come through the edge, answered 403.",
  label: "secret",
  values: ["missing", "wrong"],
})

/** Counts a refusal. */
export const countStranger = (stranger: Stranger, context: Context.Context<never>) =>
  strangers.addUnsafe(stranger, context)

/** Why a request did not come through the edge; undefined = it did. */
export type Stranger = "missing" | "wrong"

/** Tells whether a request came through the edge, and takes the secret from its headers: nothing behind sees it. */
export type Gate = (request: IncomingMessage) => Stranger | undefined

const digest = (text: string): Buffer => hash("sha256", text, "buffer")

/** A gate that any of the secrets opens. Without a secret there is no gate. */
export const makeGate = (secrets: ReadonlyArray<Redacted.Redacted>): Gate | undefined => {
  if (secrets.length === 0) return undefined
  const known = secrets.map((secret) => digest(Redacted.value(secret)))
  return (request) => {
    const shown = request.headers[EDGE_SECRET_HEADER]
    if (typeof shown !== "string") return "missing"
    delete request.headers[EDGE_SECRET_HEADER]
    // Digests have one length, and all of them are compared: the time tells nothing about a secret.
    const given = digest(shown)
    return known.filter((one) => timingSafeEqual(one, given)).length > 0 ? undefined : "wrong"
  }
}
