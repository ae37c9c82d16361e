import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import { makeIssuerKey, mint } from "./TokenIssuer.ts"
import { listen } from "./listen.ts"

/** The key that signs the provider's tokens. */
export const key = makeIssuerKey()

/** The id of the provider's pool. */
export const POOL = "eu-west-1_Pool"

/** The id of the pool's only client. */
export const CLIENT = "client"

/** Answers one request, or does not. */
export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** An answer of Cognito's API, or a key set. */
export const json =
  (status: number, content: unknown): Answer =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(content))
  }

/** An error of Cognito's API. */
export const refusal = (name: string, message = "No.") => json(400, { __type: name, message })

/** Never answers. */
export const mute: Answer = () => undefined

const OPERATIONS = ["InitiateAuth", "GetUser", "GetTokensFromRefreshToken", "RevokeToken"] as const

/** A provider whose answers the test decides: an emulator cannot be made to answer all that real Cognito does. */
export const make = Effect.gen(function* () {
  const answers: Record<(typeof OPERATIONS)[number] | "keys", Answer> = {
    keys: json(200, { keys: [key.jwk] }),
    InitiateAuth: refusal("NotAuthorizedException"),
    GetUser: refusal("NotAuthorizedException"),
    GetTokensFromRefreshToken: refusal("NotAuthorizedException"),
    RevokeToken: json(200, {}),
  }
  const requests: Array<{ readonly operation: string; readonly headers: object; readonly body: string }> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString()
      const target = String(request.headers["x-amz-target"]).split(".")[1]
      const operation = OPERATIONS.find((name) => name === target) ?? "keys"
      requests.push({ operation, headers: request.headers, body })
      answers[operation](request, response, body)
    })
  })
  const port = yield* listen(server, () => server.closeAllConnections())
  const url = `http://127.0.0.1:${port}`
  const issuer = `${url}/${POOL}`
  const env = {
    COGNITO_USER_POOL_ID: POOL,
    COGNITO_CLIENT_ID: CLIENT,
    COGNITO_ISSUER: issuer,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: url,
  }
  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims = { sub: "s1", iss: issuer, iat: nowSeconds, exp: nowSeconds + 3600 }
  /** An access token of user s1, with some claims changed. */
  const accessWith = (change: object) =>
    mint(key, { ...claims, token_use: "access", client_id: CLIENT, ...change })
  const access = accessWith({})
  const tokens = (id: object) => ({
    AuthenticationResult: {
      AccessToken: access,
      IdToken: mint(key, { ...claims, token_use: "id", aud: CLIENT, ...id }),
      RefreshToken: "refresh",
    },
  })
  return { answers, requests, env, access, accessWith, tokens }
})
