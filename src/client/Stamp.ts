import type { BoardStamp, Scores } from "../domain/Score.ts"
import { isCount, type JsonRecord } from "./Json.ts"

/** Which state of the truth a board shows: of one epoch, a larger version is a later board, an equal one the same. */
export type Stamp = Pick<BoardStamp, "epoch" | "version">

/** A board, with its stamp when the server gave one. */
export interface StampedScores {
  readonly scores: Scores
  readonly stamp: Stamp | undefined
}

const makeStamp = (epoch: unknown, version: unknown): Stamp | undefined =>
  typeof epoch === "string" && epoch !== "" && isCount(version) ? { epoch, version } : undefined

/** The stamp in a frame; undefined when it has none that is whole. */
export const readStamp = (frame: JsonRecord): Stamp | undefined => makeStamp(frame["epoch"], frame["version"])

/** `"<epoch>-<version>"`; a cache may have weakened it, a server that masks addresses says so at the end. */
const STAMP_TAG = /^(?:W\/)?"([^"]+)-(0|[1-9]\d*)(?:-masked)?"$/

/** The stamp in the `ETag` of `GET /scores`; undefined when it is of any other form. */
export const readStampTag = (etag: string | null): Stamp | undefined => {
  const [, epoch, version] = STAMP_TAG.exec(etag ?? "") ?? []
  return version === undefined ? undefined : makeStamp(epoch, Number(version))
}

/**
 * By how many versions `next` is later than `shown`: negative = older, 0 = the same board. Undefined when that cannot
 * be told, because one has no stamp or the epochs differ: then `next` may take the place of `shown`.
 */
export const versionsAhead = (next: Stamp | undefined, shown: Stamp | undefined): number | undefined =>
  next === undefined || shown === undefined || next.epoch !== shown.epoch
    ? undefined
    : next.version - shown.version
