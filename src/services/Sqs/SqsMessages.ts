import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { OutgoingMessage, ReceivedMessage } from "./Sqs.ts"

/** An entry's id in its batch is its index. */
export const sendEntries = (messages: ReadonlyArray<OutgoingMessage>) =>
  messages.map((message, index) => ({
    Id: String(index),
    MessageBody: message.body,
    MessageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, StringValue]) => [
        name,
        { DataType: "String", StringValue },
      ]),
    ),
  }))

export const deleteEntries = (receipts: ReadonlyArray<string>) =>
  receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }))

const FailedEntry = Schema.Struct({ Id: Schema.String, SenderFault: Schema.Boolean, Code: Schema.String })
export type FailedEntry = typeof FailedEntry.Type

const BatchAnswer = Schema.fromJsonString(
  Schema.Struct({
    Successful: Schema.optionalKey(Schema.Array(Schema.Struct({ Id: Schema.String }))),
    Failed: Schema.optionalKey(Schema.Array(FailedEntry)),
  }),
)

/** Binary attributes have no text, and are left out: this system sends none. */
const ReceiveAnswer = Schema.fromJsonString(
  Schema.Struct({
    Messages: Schema.optionalKey(
      Schema.Array(
        Schema.Struct({
          MessageId: Schema.String,
          ReceiptHandle: Schema.String,
          Body: Schema.String,
          Attributes: Schema.Struct({
            ApproximateReceiveCount: Schema.FiniteFromString.check(Schema.isInt()),
          }),
          MessageAttributes: Schema.optionalKey(
            Schema.Record(Schema.String, Schema.Struct({ StringValue: Schema.optionalKey(Schema.String) })),
          ),
        }),
      ),
    ),
  }),
)

/** A decoder quotes what it stumbled over, and a message's text must not come into a log. */
const withoutText = () => new Error("The answer of SQS is not of the form it should have")

const decodeBatch = Schema.decodeUnknownEffect(BatchAnswer)
const decodeReceive = Schema.decodeUnknownEffect(ReceiveAnswer)

/** What became of a batch of entries. */
export const readBatchAnswer = (body: string) => Effect.mapError(decodeBatch(body), withoutText)

/** The messages of a receive. */
export const readMessages = (body: string): Effect.Effect<ReadonlyArray<ReceivedMessage>, Error> =>
  Effect.mapBoth(decodeReceive(body), {
    onFailure: withoutText,
    onSuccess: ({ Messages = [] }) =>
      Messages.map((message) => ({
        id: message.MessageId,
        receipt: message.ReceiptHandle,
        body: message.Body,
        attributes: textsOf(message.MessageAttributes ?? {}),
        receiveCount: message.Attributes.ApproximateReceiveCount,
      })),
  })

const textsOf = (attributes: Readonly<Record<string, { readonly StringValue?: string }>>) =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([name, { StringValue }]) =>
      StringValue === undefined ? [] : [[name, StringValue] as const],
    ),
  )
