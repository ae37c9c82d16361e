import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CognitoUserPool from "../../../../src/services/Cognito/CognitoUserPool.ts"
import * as FakeCognito from "../../../support/engines/FakeCognito.ts"
import { api } from "./fixtures.ts"

/** The identity provider of one API, in the test's hands. */
export class Provider extends Context.Service<Provider, Effect.Success<typeof FakeCognito.make>>()(
  "test/Provider",
) {}

/** The whole API as on AWS, whose identity provider answers what the test says. */
export const apiOnPool = (env: Readonly<Record<string, string>> = {}) =>
  Layer.unwrap(
    Effect.map(FakeCognito.make, (provider) => {
      const config = ConfigProvider.fromEnvRecord({ ...provider.env, ...env })
      const pool = CognitoUserPool.layer.pipe(Layer.provide(ConfigProvider.layer(config)), Layer.orDie)
      return Layer.merge(api({ env, replacing: pool }), Layer.succeed(Provider, provider))
    }),
  )
