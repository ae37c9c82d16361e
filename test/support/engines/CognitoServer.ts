import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import {
  COGNITO_EMULATOR,
  poolSettings,
  type PoolUser,
  writePool,
} from "../../../scripts/services/CognitoPool.ts"
import { spawn } from "./ChildProcess.ts"
import { freePort } from "./freePort.ts"
import { engineFolder } from "./runFolder.ts"

/** A running identity provider that speaks Cognito's protocol. */
export interface CognitoEngine {
  /** The configuration of a process, or of a ConfigProvider, that uses it. */
  readonly env: ReturnType<typeof poolSettings>
  /** The users who can sign in, at least one. */
  readonly users: readonly [PoolUser, ...Array<PoolUser>]
}

export interface CognitoServerOptions {
  /** How many users the pool has; 1 if left out. The server rewrites all of them at each login. */
  readonly users?: number
  /** How long access and id tokens are valid, in seconds; an hour if left out. */
  readonly tokenSeconds?: number
}

const makeUser = (index: number): PoolUser => ({
  email: `player${index}@example.com`,
  password: `Pass-word-${index}`,
  sub: randomUUID(),
})

/** Starts cognito-local in a temporary folder with a seeded pool. Both end with the scope. Takes a second. */
export const make = Effect.fnUntraced(function* (options: CognitoServerOptions = {}) {
  const directory = yield* engineFolder("scoreboard-cognito-")
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const users: CognitoEngine["users"] = [
    makeUser(0),
    ...Array.from({ length: (options.users ?? 1) - 1 }, (_, index) => makeUser(index + 1)),
  ]
  yield* Effect.promise(() =>
    writePool(directory, {
      issuerDomain: url,
      host: "127.0.0.1",
      port,
      users,
      tokenSeconds: options.tokenSeconds ?? 3600,
    }),
  )
  yield* spawn({
    command: process.execPath,
    args: [COGNITO_EMULATOR],
    cwd: directory,
    env: { PATH: process.env["PATH"] },
    readyWhen: /Cognito Local running on/,
    readyWithinMillis: 30_000,
    install: "npm ci",
  })
  const engine: CognitoEngine = {
    env: poolSettings(url),
    users,
  }
  return engine
})
