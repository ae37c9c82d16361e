import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import { listen } from "./listen.ts"

/** How far a signature's time may be from the time of the front, in milliseconds. From the description of SigV4. */
const SKEW_MILLIS = 5 * 60_000

/** Refusals that a test looks at; further ones are answered and not stored. */
const STORED_REFUSALS = 1_000

const CREDENTIAL = /^AWS4-HMAC-SHA256 Credential=([^/]+)\//
const SIGNED_AT = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/

/** An error as SQS answers it by its JSON protocol: the type in the body, its older code in a header. */
interface Refusal {
  readonly type: string
  readonly code: string
  readonly message: string
}

const EXPIRED: Refusal = {
  type: "InvalidSignatureException",
  code: "SignatureDoesNotMatch",
  message: "Signature expired: it is earlier than the time of the service - 5 min.",
}
const NOT_YET_CURRENT: Refusal = {
  type: "InvalidSignatureException",
  code: "SignatureDoesNotMatch",
  message: "Signature not yet current: it is later than the time of the service + 5 min.",
}
const UNKNOWN_KEY: Refusal = {
  type: "UnrecognizedClientException",
  code: "InvalidClientTokenId",
  message: "The security token included in the request is invalid.",
}

/** What stands in front of SQS and looks at who asks: the emulator behind it does not. */
export interface SqsFront {
  /** Such as http://127.0.0.1:4567, without a path. */
  readonly endpoint: string
  /** From now on the calls of this access key id alone are passed on; before the first call, those of any key. */
  acceptOnly(keyId: string): Effect.Effect<void>
  /** The next call is refused as if its key were unknown, whatever it is. */
  readonly refuseOnce: Effect.Effect<void>
  /** The older code of every refusal so far, oldest first. */
  readonly refusals: () => ReadonlyArray<string>
}

const signedAt = (call: IncomingMessage) => {
  const [, year, month, day, hours, minutes, seconds] =
    SIGNED_AT.exec(String(call.headers["x-amz-date"])) ?? []
  return Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`)
}

/** Passes a call on as it is, and the answer back; both end when the one who asks hangs up. */
const passOn = (target: string, call: IncomingMessage, answer: ServerResponse) => {
  const onward = request(new URL(call.url ?? "/", target), { method: "POST", headers: call.headers })
  onward.on("response", (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers)
    response.pipe(answer)
  })
  onward.on("error", () => answer.destroy())
  answer.on("close", () => onward.destroy())
  call.pipe(onward)
}

const refuse = (call: IncomingMessage, answer: ServerResponse, { type, code, message }: Refusal) =>
  call.resume().on("end", () =>
    answer
      .writeHead(403, {
        "content-type": "application/x-amz-json-1.0",
        "x-amzn-requestid": "refused-in-front",
        "x-amzn-query-error": `${code};Sender`,
      })
      .end(JSON.stringify({ __type: `com.amazon.coral.service#${type}`, message })),
  )

/** Starts a front of the emulator at `target`, gone with the scope. It checks times and keys, but no signature. */
export const make = Effect.fnUntraced(function* (
  target: string,
): Effect.fn.Return<SqsFront, never, Scope.Scope> {
  const refusals: Array<string> = []
  let accepted: string | undefined
  let refusing = false

  const refusalOf = (call: IncomingMessage): Refusal | undefined => {
    const [, keyId] = CREDENTIAL.exec(call.headers.authorization ?? "") ?? []
    const ahead = signedAt(call) - Date.now()
    if (refusing || keyId === undefined || (accepted !== undefined && keyId !== accepted)) {
      refusing = false
      return UNKNOWN_KEY
    }
    if (ahead < -SKEW_MILLIS) return EXPIRED
    return ahead <= SKEW_MILLIS ? undefined : NOT_YET_CURRENT
  }
  const server = createServer((call, answer) => {
    const refusal = refusalOf(call)
    if (refusal === undefined) return passOn(target, call, answer)
    if (refusals.length < STORED_REFUSALS) refusals.push(refusal.code)
    refuse(call, answer, refusal)
  })
  const port = yield* listen(server, () => server.closeAllConnections())
  return {
    endpoint: `http://127.0.0.1:${port}`,
    acceptOnly: (keyId) => Effect.sync(() => void (accepted = keyId)),
    refuseOnce: Effect.sync(() => void (refusing = true)),
    refusals: () => refusals.slice(),
  }
})
