import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Sqs } from "../../../../src/services/Sqs/Sqs.ts"
import * as SqsQueue from "../../../../src/services/Sqs/SqsQueue.ts"
import type { SqsFailure } from "../../../../src/services/Sqs/Sqs.ts"

/** Variables of this process alone, where the credentials are looked for; "" takes one away. */
export const environment = (variables: Readonly<Record<string, string>>) => {
  const set = (values: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value = ""] of Object.entries(values)) {
      if (value === "") delete process.env[name]
      else process.env[name] = value
    }
  }
  return Layer.effectDiscard(
    Effect.acquireRelease(
      Effect.sync(() => {
        const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
        set(variables)
        return before
      }),
      (before) => Effect.sync(() => set(before)),
    ),
  )
}

export const credentials = environment({ AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" })

/** `Sqs` configured by these variables. */
export const onQueue = (env: Record<string, string>, sqs = SqsQueue.layer) =>
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
