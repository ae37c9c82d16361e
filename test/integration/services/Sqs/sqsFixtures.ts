import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import type { SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"

/** The SDK finds its credentials in the environment of this process alone. */
export const credentials = Layer.effectDiscard(
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = { ...process.env }
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" })
      return before
    }),
    ({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }) =>
      Effect.sync(() => {
        for (const [name, value] of Object.entries({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY })) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      }),
  ),
)

/** `Sqs` configured by these variables. */
export const onQueue = (env: Record<string, string>, sqs = Sqs.layer) =>
  sqs.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))

/** How every operation fails, all run at once. */
export const failures: Effect.Effect<ReadonlyArray<SqsFailure>, unknown, Sqs> = Effect.gen(function* () {
  const sqs = yield* Sqs
  const operations = [
    sqs.send([{ body: "x", attributes: {} }]),
    sqs.receive,
    sqs.delete(["receipt"]),
    sqs.check,
  ]
  return yield* Effect.forEach(operations, (operation) => Effect.flip(operation), { concurrency: 4 })
})
