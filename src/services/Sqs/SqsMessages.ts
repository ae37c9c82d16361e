import type {
  DeleteMessageBatchRequestEntry,
  Message,
  MessageAttributeValue,
  SendMessageBatchRequestEntry,
} from "@aws-sdk/client-sqs"
import type { OutgoingMessage, ReceivedMessage } from "./Sqs.ts"

/** The id of an entry is its index in the batch. */
export const sendEntries = (messages: ReadonlyArray<OutgoingMessage>): Array<SendMessageBatchRequestEntry> =>
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

export const deleteEntries = (receipts: ReadonlyArray<string>): Array<DeleteMessageBatchRequestEntry> =>
  receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }))

/** The message that SQS gave; none when a field that SQS always sends is absent. */
export const receivedMessage = (message: Message): ReceivedMessage | undefined => {
  const { MessageId: id, ReceiptHandle: receipt, Body: body, Attributes, MessageAttributes = {} } = message
  const receiveCount = Number(Attributes?.ApproximateReceiveCount)
  if (id === undefined || receipt === undefined || body === undefined || !Number.isInteger(receiveCount)) {
    return undefined
  }
  return { id, receipt, body, attributes: textsOf(MessageAttributes), receiveCount }
}

/** Binary attributes have no text and are left out: this system sends none. */
const textsOf = (attributes: Readonly<Record<string, MessageAttributeValue>>) =>
  Object.fromEntries(
    Object.entries(attributes).flatMap(([name, { StringValue }]) =>
      StringValue === undefined ? [] : [[name, StringValue] as const],
    ),
  )
