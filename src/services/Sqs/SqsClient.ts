import { defaultProvider } from "@aws-sdk/credential-provider-node"
import { Sha256 } from "@smithy/core/checksum"
import { SignatureV4 } from "@smithy/signature-v4"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { HttpUrl } from "../../foundation/HttpUrl.ts"
import { type Answer, makeHttp } from "./SqsHttp.ts"

/** Credentials are read at the first call, from the environment and every other place where AWS keeps them. */
export const sqsConfig = {
  queueUrl: Config.schema(HttpUrl, "SQS_QUEUE_URL"),
  region: Config.NonEmptyString("AWS_REGION"),
  /** The queue's own host when it is absent. */
  endpoint: Config.option(Config.schema(HttpUrl, "AWS_ENDPOINT_URL_SQS")),
}

/** One retry, for a kept-alive connection that SQS had just closed. Later tries are the caller's. */
const retry = { times: 1, schedule: Schedule.jittered(Schedule.spaced("50 millis")) }

export type Operation = "SendMessageBatch" | "ReceiveMessage" | "DeleteMessageBatch" | "GetQueueAttributes"

/** SQS answered that it would not, or could not. For the log; `name` is its own word for the reason. */
class SqsRefusal extends Error {
  readonly status: number
  constructor(answer: Answer, code: string, message: string) {
    super(`${message} (HTTP ${answer.status}, request ${answer.requestId})`)
    this.name = code
    this.status = answer.status
  }
}

/** There are no credentials, or none can be had. */
class NotSigned extends Data.TaggedError("NotSigned")<{ readonly cause: unknown }> {
  override readonly message = String(this.cause)
}

/** What stands in front of SQS writes `Message`. */
const Fault = Schema.fromJsonString(
  Schema.Struct({
    __type: Schema.String,
    message: Schema.optionalKey(Schema.String),
    Message: Schema.optionalKey(Schema.String),
  }),
)
const decodeFault = Schema.decodeUnknownResult(Fault)

const refusal = (answer: Answer) => {
  const fault = Result.getOrUndefined(decodeFault(answer.body))
  // Such as com.amazonaws.sqs#QueueDoesNotExist
  const code = fault?.__type.split("#").at(-1) ?? "Unexplained"
  return new SqsRefusal(answer, code, fault?.message ?? fault?.Message ?? "SQS does not say why")
}

const isPassing = (error: Error) => !(error instanceof SqsRefusal) || error.status >= 500

/** One queue, asked by the JSON protocol of SQS; its connections are closed with the scope. */
export interface SqsClient {
  /**
   * One signed call. The text of a 200, still to be decoded; all of it may happen twice. Without a time limit.
   * Interruption closes the connection.
   */
  call(operation: Operation, input: object): Effect.Effect<string, Error>
}

export const makeSqsClient = Effect.gen(function* () {
  const { queueUrl, region, endpoint } = yield* Config.all(sqsConfig)
  const url = Option.getOrElse(endpoint, () => new URL(queueUrl.origin))
  const http = yield* makeHttp(url)
  // Credentials that expire are fetched anew in time.
  const signer = new SignatureV4({
    service: "sqs",
    region,
    credentials: defaultProvider({ clientConfig: { region } }),
    sha256: Sha256,
    applyChecksum: false,
  })
  const sign = (operation: Operation, body: string) =>
    Effect.tryPromise({
      try: () =>
        signer.sign({
          method: "POST",
          protocol: url.protocol,
          hostname: url.hostname,
          path: url.pathname,
          headers: {
            host: url.host,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": `AmazonSQS.${operation}`,
          },
          body,
        }),
      catch: (cause) => new NotSigned({ cause }),
    })

  const client: SqsClient = {
    call: (operation, input) => {
      const body = JSON.stringify({ QueueUrl: queueUrl.href, ...input })
      // Signed anew for every attempt: a signature is good for five minutes.
      return Effect.flatMap(sign(operation, body), ({ headers }) => http.post(headers, body)).pipe(
        Effect.flatMap((answer) =>
          answer.status === 200 ? Effect.succeed(answer.body) : Effect.fail(refusal(answer)),
        ),
        Effect.retry({ ...retry, while: isPassing }),
      )
    },
  }
  return client
})
