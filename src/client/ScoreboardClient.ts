import type { Scores } from "../domain/Score.ts"
import { backoffMs } from "./Backoff.ts"
import { startPolling } from "./BoardPoller.ts"
import { openBoardSocket } from "./BoardSocket.ts"
import { type Environment, hostEnvironment } from "./Environment.ts"
import { Listeners } from "./Listeners.ts"
import { versionsAhead } from "../domain/BoardOrder.ts"
import type { Stamp, StampedScores } from "./Stamp.ts"

/** A tab hidden for less keeps its socket, so that looking away and back costs nothing. */
const HIDDEN_GRACE_MS = 10_000

/**
 * A socket that lived shorter than this, or told nothing but older boards, counts as a failure: servers that drop
 * everyone, or are all behind, are not hammered.
 */
const STABLE_MS = 5_000

/** When polling works again, the socket is tried within this time instead of after its long wait. */
const RECOVERY_SPREAD_MS = 1_000

/**
 * - `connecting`: the first attempt is under way.
 * - `live`: changes are pushed as they happen.
 * - `polling`: the socket is refused, `GET /scores` is asked every few seconds; the socket is still tried.
 * - `reconnecting`: neither works at the moment; both are tried. Also while a hidden tab is paused.
 * - `offline`: the device says that it has no network; nothing is tried until it says otherwise.
 */
export type LiveState = "connecting" | "live" | "polling" | "reconnecting" | "offline"

/** What a viewer may be shown. */
export interface BoardView {
  readonly state: LiveState
  /** Best first, at most ten; the same array while the board is the same. Undefined until the first board. */
  readonly scores: Scores | undefined
  /** When the server last gave or confirmed `scores`, in milliseconds since 1970. */
  readonly confirmedAt: number | undefined
}

export interface ScoreboardOptions {
  /** Where the API is: `https://host[:port]`. In a page: `location.origin`. */
  readonly url: string
  readonly environment?: Environment
  /** Let go of the socket while the tab is hidden (default: true). */
  readonly pauseWhenHidden?: boolean
  /** Ask `GET /scores` beside the first attempt, so that a board is there early (default: true). */
  readonly fetchFirst?: boolean
}

const sameBoard = (a: Scores | undefined, b: Scores): boolean =>
  a?.length === b.length && a.every((x, i) => x.email === b[i]?.email && x.score === b[i]?.score)

/**
 * The live board, which never goes back: of one epoch, no version is shown after a larger one, whichever process or
 * cache it comes from. Such an older board does not confirm the one on show either. Starts at once and keeps itself
 * connected until `close`; after that no timer, no listener and no socket is left. Never throws after construction; a
 * malformed `url` throws there.
 */
export class ScoreboardClient {
  readonly #environment: Environment
  readonly #boardUrl: string
  readonly #socketUrl: string
  readonly #pauseWhenHidden: boolean
  readonly #listeners = new Listeners<BoardView>()
  readonly #unwatchPage: () => void
  #view: BoardView = { state: "connecting", scores: undefined, confirmedAt: undefined }
  /** Of the board on show. */
  #stamp: Stamp | undefined

  #running = false
  #closed = false
  #isLive = false
  #liveSince = 0
  /** Attempts in a row that brought no lasting connection. */
  #failures = 0
  /** Whether any attempt has failed or any connection was lost so far. */
  #everFailed = false
  #lastPoll: "none" | "answered" | "missed" = "none"
  #stopSocket: (() => void) | undefined
  #stopPolling: (() => void) | undefined
  #cancelRetry: (() => void) | undefined
  #cancelPause: (() => void) | undefined

  constructor(options: ScoreboardOptions) {
    this.#environment = options.environment ?? hostEnvironment()
    this.#pauseWhenHidden = options.pauseWhenHidden ?? true
    this.#boardUrl = new URL("/scores", options.url).href
    this.#socketUrl = new URL("/scores/websocket?stamped", options.url).href.replace(/^http/, "ws")
    this.#unwatchPage = this.#environment.watchPage(() => this.#pageChanged())
    if (this.#mayRun()) this.#start(options.fetchFirst ?? true)
    else this.#publish()
  }

  get view(): BoardView {
    return this.#view
  }

  /** Milliseconds since the server last confirmed the board; undefined before the first one. */
  ageMs(): number | undefined {
    const { confirmedAt } = this.#view
    return confirmedAt === undefined ? undefined : Math.max(0, this.#environment.now() - confirmedAt)
  }

  /** Calls `listener` with the current view at once and after every change, until the returned function runs. */
  subscribe(listener: (view: BoardView) => void): () => void {
    return this.#listeners.add(listener, this.#view)
  }

  /** Ends everything; listeners hear nothing more. May be called again. */
  close(): void {
    this.#closed = true
    this.#unwatchPage()
    this.#cancelPause?.()
    this.#listeners.clear()
    this.#halt()
  }

  #isPaused(): boolean {
    return this.#pauseWhenHidden && this.#environment.isHidden()
  }

  #mayRun(): boolean {
    return !this.#closed && this.#environment.isOnline() && !this.#isPaused()
  }

  #pageChanged(): void {
    this.#cancelPause?.()
    this.#cancelPause = undefined
    if (this.#mayRun() && !this.#running) {
      this.#failures = 0
      this.#start(true)
    } else if (!this.#environment.isOnline()) {
      this.#halt()
    } else if (this.#running && this.#isPaused()) {
      this.#cancelPause = this.#environment.after(HIDDEN_GRACE_MS, () => {
        this.#halt()
        this.#publish()
      })
    }
    this.#publish()
  }

  #start(poll: boolean): void {
    this.#running = true
    if (poll) this.#poll()
    this.#dial()
  }

  #halt(): void {
    if (this.#running) this.#everFailed = true
    this.#running = false
    this.#isLive = false
    this.#cancelRetry?.()
    this.#stopSocket?.()
    this.#stopPollingNow()
  }

  #dial(): void {
    this.#stopSocket = openBoardSocket(this.#environment, this.#socketUrl, {
      onBoard: (board) => {
        if (!this.#isLive) this.#liveSince = this.#environment.now()
        this.#isLive = true
        this.#stopPollingNow()
        return this.#show(board, this.#environment.now())
      },
      onEnd: () => this.#lost(),
    })
    this.#publish()
  }

  #lost(): void {
    const wasLive = this.#isLive
    const hasConfirmed = (this.#view.confirmedAt ?? 0) >= this.#liveSince
    const wasStable = wasLive && hasConfirmed && this.#environment.now() - this.#liveSince >= STABLE_MS
    this.#isLive = false
    this.#everFailed = true
    this.#redialIn(backoffMs(wasStable ? 0 : this.#failures, this.#environment.random))
    this.#failures = wasStable ? 0 : this.#failures + 1
    // One lost connection is usually back within a second; only a refused attempt is worth polling for.
    if (!wasLive) this.#poll()
    this.#publish()
  }

  #redialIn(delayMs: number): void {
    this.#cancelRetry?.()
    this.#stopSocket = undefined
    this.#cancelRetry = this.#environment.after(delayMs, () => {
      this.#cancelRetry = undefined
      this.#dial()
    })
  }

  #poll(): void {
    this.#stopPolling ??= startPolling(this.#environment, this.#boardUrl, {
      onBoard: (board, confirmedAt) => {
        const recovered = this.#lastPoll === "missed"
        this.#lastPoll = "answered"
        if (recovered && this.#cancelRetry) this.#redialIn(RECOVERY_SPREAD_MS * this.#environment.random())
        this.#show(board, confirmedAt)
      },
      onMiss: () => {
        this.#lastPoll = "missed"
        this.#publish()
      },
    })
  }

  #stopPollingNow(): void {
    this.#stopPolling?.()
    this.#stopPolling = undefined
    this.#lastPoll = "none"
  }

  /**
   * False for an older version, and for what a cache kept from before the board on show where versions do not tell.
   * A clock that was set back is no reason.
   */
  #isNews(stamp: Stamp | undefined, confirmedAt: number): boolean {
    const ahead = versionsAhead(stamp, this.#stamp) ?? 0
    if (ahead !== 0) return ahead > 0
    const shownAt = this.#view.confirmedAt ?? 0
    return confirmedAt >= shownAt || shownAt > this.#environment.now()
  }

  /** False when the board is not shown, because that would be a step back. */
  #show({ scores, stamp }: StampedScores, confirmedAt: number): boolean {
    const isNews = this.#isNews(stamp, confirmedAt)
    if (isNews) {
      const shown = this.#view.scores
      this.#stamp = stamp
      this.#publish({ scores: shown && sameBoard(shown, scores) ? shown : scores, confirmedAt })
    } else this.#publish()
    return isNews
  }

  #state(): LiveState {
    if (!this.#environment.isOnline()) return "offline"
    if (this.#isLive) return "live"
    if (!this.#everFailed) return "connecting"
    return this.#lastPoll === "answered" ? "polling" : "reconnecting"
  }

  #publish(board: Partial<BoardView> = {}): void {
    if (this.#closed) return
    const next = { ...this.#view, ...board, state: this.#state() }
    const isSame = next.state === this.#view.state && Object.keys(board).length === 0
    this.#view = next
    if (!isSame) this.#listeners.notify(next)
  }
}
