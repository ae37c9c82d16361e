import * as Schema from "effect/Schema"
import { Amount, Count } from "./Score.ts"

/** The most entries of one page of `GET /users/me/history`. From the contract. */
export const HISTORY_PAGE = 100

/**
 * A point in a player's history. Clients get it as `next` and treat it as opaque. 18 digits fit into PostgreSQL's
 * `bigint`, and more events than that will not happen.
 */
export const HistoryCursor = Schema.String.check(
  Schema.isPattern(/^[1-9][0-9]{0,17}$/u, { expected: "the number of an event, of at most 18 digits" }),
)

const HistoryEntry = Schema.Struct({
  id: HistoryCursor.annotate({ description: "Identifies this change among all changes of the caller." }),
  at: Schema.String.annotate({
    format: "date-time",
    description: "When the change was committed: ISO 8601 in UTC.",
  }),
  amount: Amount.annotate({
    description:
      "How many points the change added: 1 for an increment; a correction by an operator may be negative.",
  }),
  score: Count.annotate({ description: "The caller's score after this change." }),
}).annotate({ identifier: "HistoryEntry", description: "One change of the caller's score." })

/** One page of a player's history, newest first, and the player's score at the same moment. */
export const History = Schema.Struct({
  score: Count.annotate({ description: "The caller's score now." }),
  entries: Schema.Array(HistoryEntry).annotate({ description: "Newest first." }),
  next: Schema.NullOr(HistoryCursor).annotate({
    description: "Send it as `after` to get the next page. Null on the last page.",
  }),
}).annotate({ identifier: "History", description: "One page of the caller's history." })
