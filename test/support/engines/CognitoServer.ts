import { randomUUID } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { spawn } from "./ChildProcess.ts"
import { freePort } from "./freePort.ts"
import { engineFolder } from "./runFolder.ts"

/** A user of the seeded pool, whose user name is `sub`. */
export interface CognitoUser {
  readonly email: string
  readonly password: string
  readonly sub: string
}

/** A running identity provider that speaks Cognito's protocol. */
export interface CognitoEngine {
  /** The configuration of a process, or of a ConfigProvider, that uses it. */
  readonly env: {
    readonly AWS_REGION: string
    readonly AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: string
    readonly COGNITO_USER_POOL_ID: string
    readonly COGNITO_CLIENT_ID: string
    readonly COGNITO_ISSUER: string
    readonly COGNITO_JWKS_URI: string
  }
  /** The users who can sign in, at least one. */
  readonly users: readonly [CognitoUser, ...Array<CognitoUser>]
}

export interface CognitoServerOptions {
  /** How many users the pool has; 1 if left out. The server rewrites all of them at each login. */
  readonly users?: number
  /** How long access and id tokens are valid, in seconds; an hour if left out. */
  readonly tokenSeconds?: number
}

const REGION = "us-east-1"
const POOL_ID = `${REGION}_Scoreboard`
const CLIENT_ID = "scoreboardclient"

const makeUser = (index: number): CognitoUser => ({
  email: `player${index}@example.com`,
  password: `Pass-word-${index}`,
  sub: randomUUID(),
})

/** Writes the files that the server has after somebody created the pool, the client and the users. */
const seed = async (
  directory: string,
  issuerDomain: string,
  users: ReadonlyArray<CognitoUser>,
  tokenSeconds: number,
) => {
  const now = new Date().toISOString()
  const store = join(directory, ".cognito", "db")
  await mkdir(store, { recursive: true })
  const write = (path: string, content: unknown) => writeFile(path, JSON.stringify(content))
  await write(join(directory, ".cognito", "config.json"), { TokenConfig: { IssuerDomain: issuerDomain } })
  await write(join(store, "clients.json"), {
    Clients: {
      [CLIENT_ID]: {
        ClientId: CLIENT_ID,
        ClientName: "scoreboard",
        UserPoolId: POOL_ID,
        CreationDate: now,
        LastModifiedDate: now,
        AccessTokenValidity: tokenSeconds,
        IdTokenValidity: tokenSeconds,
        TokenValidityUnits: { AccessToken: "seconds", IdToken: "seconds", RefreshToken: "days" },
        RefreshTokenValidity: 30,
        ExplicitAuthFlows: ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
      },
    },
  })
  await write(join(store, `${POOL_ID}.json`), {
    Options: { Id: POOL_ID, UsernameAttributes: ["email"], MfaConfiguration: "OFF" },
    Users: Object.fromEntries(
      users.map(({ email, password, sub }) => [
        sub,
        {
          Username: sub,
          Password: password,
          Attributes: [
            { Name: "sub", Value: sub },
            { Name: "email", Value: email },
            { Name: "email_verified", Value: "true" },
          ],
          Enabled: true,
          UserStatus: "CONFIRMED",
          RefreshTokens: [],
          UserCreateDate: now,
          UserLastModifiedDate: now,
        },
      ]),
    ),
  })
}

/** Starts cognito-local in a temporary folder with a seeded pool. Both end with the scope. Takes a second. */
export const make = Effect.fnUntraced(function* (options: CognitoServerOptions = {}) {
  const directory = yield* engineFolder("scoreboard-cognito-")
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const users: CognitoEngine["users"] = [
    makeUser(0),
    ...Array.from({ length: (options.users ?? 1) - 1 }, (_, index) => makeUser(index + 1)),
  ]
  yield* Effect.promise(() => seed(directory, url, users, options.tokenSeconds ?? 3600))
  yield* spawn({
    command: process.execPath,
    args: [createRequire(import.meta.url).resolve("cognito-local/lib/bin/start.js")],
    cwd: directory,
    env: { PATH: process.env["PATH"], HOST: "127.0.0.1", PORT: String(port) },
    readyWhen: /Cognito Local running on/,
    readyWithinMillis: 30_000,
    install: "npm ci",
  })
  const issuer = `${url}/${POOL_ID}`
  const engine: CognitoEngine = {
    env: {
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: url,
      COGNITO_USER_POOL_ID: POOL_ID,
      COGNITO_CLIENT_ID: CLIENT_ID,
      COGNITO_ISSUER: issuer,
      COGNITO_JWKS_URI: `${issuer}/.well-known/jwks.json`,
    },
    users,
  }
  return engine
})
