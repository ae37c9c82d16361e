import { existsSync } from "node:fs"
import { mkdir, rename, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { REGION } from "./Queues.ts"

/** The program of the emulator. It keeps its data in the folder that it runs in. */
export const COGNITO_EMULATOR = createRequire(import.meta.url).resolve("cognito-local/lib/bin/start.js")

const POOL_ID = `${REGION}_Scoreboard`
const CLIENT_ID = "scoreboardclient"

/** A user of the pool, whose user name is `sub`. */
export interface PoolUser {
  readonly email: string
  readonly password: string
  readonly sub: string
}

/** How long tokens are valid, in seconds. */
const client = (tokenSeconds: number, now: string) => ({
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
})

const account = ({ email, password, sub }: PoolUser, now: string) => ({
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
})

/**
 * Writes the files that the emulator has after somebody created the pool, the client and the users. A pool that is there
 * already stays as it is, with its users; where the emulator listens is written anew.
 */
export const writePool = async (
  directory: string,
  options: {
    readonly issuerDomain: string
    readonly host: string
    readonly port: number
    readonly users: ReadonlyArray<PoolUser>
    readonly tokenSeconds: number
  },
) => {
  const now = new Date().toISOString()
  const store = join(directory, ".cognito", "db")
  await mkdir(store, { recursive: true })
  const write = async (path: string, content: unknown) => {
    // A start that is cut off never leaves half a file.
    await writeFile(`${path}.new`, JSON.stringify(content), { mode: 0o600 })
    await rename(`${path}.new`, path)
  }
  await write(join(directory, ".cognito", "config.json"), {
    TokenConfig: { IssuerDomain: options.issuerDomain },
    ServerConfig: { hostname: options.host, port: options.port },
  })
  const pool = join(store, `${POOL_ID}.json`)
  if (existsSync(pool)) return
  await write(join(store, "clients.json"), { Clients: { [CLIENT_ID]: client(options.tokenSeconds, now) } })
  await write(pool, {
    Options: { Id: POOL_ID, UsernameAttributes: ["email"], MfaConfiguration: "OFF" },
    Users: Object.fromEntries(options.users.map((user) => [user.sub, account(user, now)])),
  })
}

/** What a process needs to use the emulator at this address, without a path. */
export const poolSettings = (url: string) => {
  const issuer = `${url}/${POOL_ID}`
  return {
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: url,
    COGNITO_USER_POOL_ID: POOL_ID,
    COGNITO_CLIENT_ID: CLIENT_ID,
    COGNITO_ISSUER: issuer,
    COGNITO_JWKS_URI: `${issuer}/.well-known/jwks.json`,
  }
}
