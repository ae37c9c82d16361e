import { SQSClient, SQSServiceException } from "@aws-sdk/client-sqs"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { HttpUrl } from "../../foundation/HttpUrl.ts"
import { makeCredentials } from "./SqsCredentials.ts"
import { abortSignals, makeHttp } from "./SqsHttp.ts"

/** Credentials are read at the first call, from the environment and every other place where AWS stores them. */
export const sqsConfig = {
  queueUrl: Config.schema(HttpUrl, "SQS_QUEUE_URL"),
  region: Config.NonEmptyString("AWS_REGION"),
  /** The queue's own host when it is absent. */
  endpoint: Config.option(Config.schema(HttpUrl, "AWS_ENDPOINT_URL_SQS")),
}

/** One retry, for a kept-alive connection that SQS had just closed. Later attempts are the caller's. */
const MAX_ATTEMPTS = 2

/**
 * Steps of the SDK that cost a tenth of a call and that nothing here needs: a log that nobody reads, the name of the
 * SDK's version, a trace header of Lambda, a length that undici sends anyway, a second look at the queue's host.
 */
export const UNNEEDED_STEPS = [
  "loggerMiddleware",
  "getUserAgentMiddleware",
  "recursionDetectionMiddleware",
  "contentLengthMiddleware",
  "queueUrlMiddleware",
]

/** SQS answered that it would not, or could not. For the log; `name` is the code that SQS gave. */
class SqsRefusal extends Error {
  constructor({ name, message, $metadata: { httpStatusCode, requestId = "-" } }: SQSServiceException) {
    super(`${message} (HTTP ${httpStatusCode}, request ${requestId})`)
    this.name = name
  }
}

/**
 * What a failed call may tell the log. An answer that the SDK could not read, cut off or not of the protocol's form, is
 * quoted by its error and may have a message's text, so that error is not passed on.
 */
const causeOf = (error: unknown): Error => {
  if (error instanceof SQSServiceException) return new SqsRefusal(error)
  if (Predicate.hasProperty(error, "$response")) {
    const { $response: response } = error
    const status = Predicate.hasProperty(response, "statusCode") ? String(response.statusCode) : "-"
    return new Error(`The answer of SQS could not be read (HTTP ${status})`)
  }
  return error instanceof Error ? error : new Error(String(error))
}

/** One queue, and the official client to call it with. */
export interface SqsClient {
  readonly queueUrl: string
  /**
   * Makes one call, which may reach SQS twice. There is no time limit but that of connecting. An interruption aborts
   * the call and closes its connection.
   */
  readonly call: <A>(send: (client: SQSClient) => Promise<A>) => Effect.Effect<A, Error>
}

/** The client's connections are closed with the scope. SQS need not answer for the client to be made. */
export const makeSqsClient = Effect.gen(function* () {
  const { queueUrl, region, endpoint } = yield* Config.all(sqsConfig)
  const url = Option.getOrElse(endpoint, () => new URL(queueUrl.origin))
  const sqs = new SQSClient({
    region,
    endpoint: url.href,
    credentials: makeCredentials(region),
    maxAttempts: MAX_ATTEMPTS,
    cacheMiddleware: true,
    // TLS and the signed payload already protect a body, and a second checksum of each costs processor time.
    md5: false,
    requestHandler: yield* makeHttp(url),
  })
  for (const step of UNNEEDED_STEPS) sqs.middlewareStack.remove(step)
  const client: SqsClient = {
    queueUrl: queueUrl.href,
    call: (send) =>
      Effect.tryPromise((signal) => abortSignals.run(signal, () => send(sqs))).pipe(
        Effect.mapError(({ cause }) => causeOf(cause)),
      ),
  }
  return client
})
