/**
 * The order of boards, for every program and for the page: this file imports nothing, so the page can load it. Within
 * one epoch a larger version is a later board. Boards of different epochs, and boards without a stamp, have no order.
 */

/** The part of a board that decides its place in the order. A board that another tool wrote has no stamp. */
export interface VersionedBoard {
  readonly epoch?: string | undefined
  readonly version?: number | undefined
}

/**
 * By how many versions `next` is later than `shown`: negative = older, 0 = the same board. Undefined if the two have no
 * order.
 */
export const versionsAhead = (
  next: VersionedBoard | undefined,
  shown: VersionedBoard | undefined,
): number | undefined =>
  next?.epoch === undefined ||
  next.version === undefined ||
  shown?.version === undefined ||
  next.epoch !== shown.epoch
    ? undefined
    : next.version - shown.version

/** Whether `next` may replace `shown` in front of a viewer: if it is later, or the two have no order. */
export const supersedes = (next: VersionedBoard, shown: VersionedBoard): boolean =>
  (versionsAhead(next, shown) ?? 1) > 0

/** Whether `next` is certainly older than `shown`. */
export const isOlder = (next: VersionedBoard, shown: VersionedBoard): boolean =>
  (versionsAhead(next, shown) ?? 0) < 0
