import type { BatchResultErrorEntry } from "@aws-sdk/client-sqs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { SqsFailure } from "./Sqs.ts"

/** One call that does not wait for messages, its second attempt included: how long a caller waits for an unresponsive SQS. */
export const CALL_LIMIT = Duration.seconds(3)

/** What a receive may take beyond its wait: an answer that began at the last moment still arrives. */
export const RECEIVE_MARGIN = Duration.seconds(5)

/** Runs one call within a time limit; the limit and an interruption both abort it at once. */
export const limited =
  (operation: SqsFailure["operation"], limit: Duration.Duration) =>
  <A>(call: Effect.Effect<A, Error>): Effect.Effect<A, SqsFailure> =>
    call.pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(new Error(`SQS did not answer within ${Duration.format(limit)}`)),
      }),
      Effect.mapError((cause) => new SqsFailure({ operation, cause })),
    )

/** A refusal by the sender's fault is repeated at every attempt, so someone has to know. Bodies are not logged. */
const logSenderFaults = (
  operation: SqsFailure["operation"],
  failed: ReadonlyArray<BatchResultErrorEntry>,
) => {
  const codes = failed.flatMap(({ SenderFault, Code }) => (SenderFault === true ? [String(Code)] : []))
  if (codes.length === 0) return Effect.void
  return Effect.logError("SQS refuses messages for a fault of the sender").pipe(
    Effect.annotateLogs({ operation, messages: codes.length, codes: [...new Set(codes)].join(" ") }),
  )
}

/** The part of an answer to a batch that every kind of batch has. */
interface BatchOutcome {
  readonly Successful?: ReadonlyArray<{ readonly Id: string | undefined }> | undefined
  readonly Failed?: ReadonlyArray<BatchResultErrorEntry> | undefined
}

/** Makes one call for a batch, and gives the indexes of the entries that SQS does not say it accepted. */
export const batch = (operation: "send" | "delete", call: Effect.Effect<BatchOutcome, Error>, size: number) =>
  call.pipe(
    limited(operation, CALL_LIMIT),
    Effect.tap(({ Failed = [] }) => logSenderFaults(operation, Failed)),
    Effect.map(({ Successful = [] }) => {
      const accepted = new Set(Successful.map(({ Id }) => Id))
      return Array.from({ length: size }, (_, index) => index).filter((index) => !accepted.has(String(index)))
    }),
  )
