import { originalTag } from "../domain/EntityTag.ts"
import type { BoardStamp, Scores } from "../domain/Score.ts"
import { isCount, type JsonRecord } from "./Json.ts"

export { versionsAhead } from "../domain/NewerBoard.ts"

/** Which state of the scores a board shows; `versionsAhead` puts two of them in order. */
export type Stamp = Pick<BoardStamp, "epoch" | "version">

export const isSameStamp = (a: Stamp | undefined, b: Stamp | undefined): boolean =>
  a?.epoch === b?.epoch && a?.version === b?.version

/** A board, with its stamp when the server gave one. */
export interface StampedScores {
  readonly scores: Scores
  readonly stamp: Stamp | undefined
}

const makeStamp = (epoch: unknown, version: unknown): Stamp | undefined =>
  typeof epoch === "string" && epoch !== "" && isCount(version) ? { epoch, version } : undefined

/** The stamp in a frame; undefined if it is missing or incomplete. */
export const readStamp = (frame: JsonRecord): Stamp | undefined => makeStamp(frame["epoch"], frame["version"])

/** `"<epoch>-<version>"`. A server that masks addresses adds `-masked`. */
const STAMP_TAG = /^"([^"]+)-(0|[1-9]\d*)(?:-masked)?"$/

/** The stamp in the `ETag` of `GET /scores`; undefined if the tag has any other form. */
export const readStampTag = (etag: string | null): Stamp | undefined => {
  const [, epoch, version] = STAMP_TAG.exec(originalTag(etag ?? "")) ?? []
  return version === undefined ? undefined : makeStamp(epoch, Number(version))
}
