/** An answer as plain data: a Response belongs to the request that it was made for. */
export interface Plain {
  /** When the origin was asked for it, in ms since 1970. */
  readonly askedAt: number
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: ArrayBuffer
}
