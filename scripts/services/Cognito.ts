import { randomUUID } from "node:crypto"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { DEMO_USERS } from "../../src/programs/process/DemoUsers.ts"
import { COGNITO_EMULATOR, poolSettings, writePool } from "./CognitoPool.ts"
import { ServicesFailure } from "./Failure.ts"
import type { Options } from "./Options.ts"
import { answers, type Part, startPart } from "./Part.ts"

/** As app clients have it by default. */
const TOKEN_SECONDS = 3600

/** Runs the emulator of Cognito with a pool, an app client and the demo users. */
export const startCognito = Effect.fnUntraced(function* ({ ports, host, publicHost, data }: Options) {
  const at = (name: string) => `http://${name.includes(":") ? `[${name}]` : name}:${ports.cognito}`
  const folder = join(data, "cognito")
  yield* Effect.tryPromise({
    try: () =>
      writePool(folder, {
        issuerDomain: at(publicHost),
        host,
        port: ports.cognito,
        users: DEMO_USERS.map((user) => ({ ...user, sub: randomUUID() })),
        tokenSeconds: TOKEN_SECONDS,
      }),
    catch: (cause) => new ServicesFailure({ message: `${folder} cannot be written: ${String(cause)}` }),
  })
  const running = yield* startPart({
    name: "The Cognito emulator",
    command: { program: process.execPath, args: [COGNITO_EMULATOR], cwd: folder },
    log: join(data, "cognito.log"),
    isReady: answers(`${at(host)}/health`),
  })
  const part: Part = { name: "The Cognito emulator", settings: poolSettings(at(publicHost)), ...running }
  return part
})
