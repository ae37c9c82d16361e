import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { IncomingMessage } from "node:http"
import { Socket } from "node:net"
import { check, explain } from "../../../../src/programs/process/Startup.ts"
import { gateConfig, makeGate } from "../../../../src/services/Listener/ListenerGate.ts"

const OLD = "old-old-old-old-old-old-old-old-old-old"
const NEW = "new-new-new-new-new-new-new-new-new-new"

const secretsFrom = (env: Readonly<Record<string, string>>) =>
  Effect.provide(gateConfig.edgeSecrets, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))

const requestWith = (secret: string | undefined) => {
  const request = new IncomingMessage(new Socket())
  if (secret !== undefined) request.headers["x-edge-secret"] = secret
  return request
}

describe("The gate", () => {
  it.effect("lets in who knows one of the secrets, and takes the secret from the request", () =>
    Effect.gen(function* () {
      const gate = makeGate(yield* secretsFrom({ EDGE_SECRET: `${OLD}, ${NEW}` }))
      for (const secret of [OLD, NEW]) {
        const request = requestWith(secret)
        assert.isUndefined(gate?.(request))
        assert.notProperty(request.headers, "x-edge-secret")
      }
      for (const secret of [`${OLD}x`, OLD.slice(1), "", `${OLD}, ${NEW}`, NEW.toUpperCase()]) {
        const request = requestWith(secret)
        assert.strictEqual(gate?.(request), "wrong", secret)
        assert.notProperty(request.headers, "x-edge-secret")
      }
      assert.strictEqual(gate?.(requestWith(undefined)), "missing")
    }),
  )

  it.effect("is absent without a secret", () =>
    Effect.map(secretsFrom({}), (secrets) => assert.isUndefined(makeGate(secrets))),
  )

  for (const bad of [
    "short",
    "x".repeat(31),
    `${OLD},short`,
    `${OLD},,${NEW}`,
    `${OLD},`,
    `${OLD} ${NEW}`,
    `é${OLD}`,
  ]) {
    it.effect(`refuses "${bad}" at the start, in a line that does not contain it`, () =>
      Effect.gen(function* () {
        const line = explain(
          yield* Effect.flip(check([gateConfig])).pipe(
            Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ EDGE_SECRET: bad }))),
          ),
        )
        assert.match(line, /EDGE_SECRET is not valid \(.*32/)
        assert.notMatch(line, /short|x{31}|old-old|new-new/)
      }),
    )
  }
})
