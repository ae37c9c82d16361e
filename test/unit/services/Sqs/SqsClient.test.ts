import { SQSClient } from "@aws-sdk/client-sqs"
import { assert, describe, it } from "@effect/vitest"
import { UNNEEDED_STEPS } from "../../../../src/services/Sqs/SqsClient.ts"

describe("The client of SQS", () => {
  it("has every step that is removed from it, by the name that this version of the SDK gives", () => {
    const { middlewareStack } = new SQSClient({ region: "eu-west-1" })
    assert.deepStrictEqual(
      UNNEEDED_STEPS.filter((step) => !middlewareStack.remove(step)),
      [],
    )
  })

  it("retries, signs and reads with the steps of the SDK", () => {
    const { middlewareStack } = new SQSClient({ region: "eu-west-1" })
    for (const step of UNNEEDED_STEPS) middlewareStack.remove(step)
    const left = middlewareStack.identify().map((step) => step.split(" ")[0])
    for (const step of ["retryMiddleware", "httpSigningMiddleware", "deserializerMiddleware"]) {
      assert.include(left, step)
    }
  })
})
