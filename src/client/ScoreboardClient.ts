import type { Scores } from "../domain/Score.ts"
import { startPolling } from "./BoardPoller.ts"
import { openBoardSocket } from "./BoardSocket.ts"
import {
  type ConnectionEvent,
  type LiveState,
  liveStateOf,
  needsOf,
  transition,
  UNSTARTED,
} from "./ConnectionState.ts"
import { type Environment, hostEnvironment } from "./Environment.ts"
import { Listeners } from "./Listeners.ts"
import { newerBoard, type ViewedBoard } from "./ViewedBoard.ts"
import { Slot } from "./Slot.ts"
import { isSameStamp, type Stamp, type StampedScores } from "./Stamp.ts"

/** A cache gives a board up to 6 s old while the server answers it (`max-age=1, stale-while-revalidate=5`). */
const STALE_MS = 10_000

/** What a viewer may be shown. */
export interface BoardView {
  readonly state: LiveState
  /** Best first, at most ten; the same array while the board is the same. Undefined until the first board. */
  readonly scores: Scores | undefined
  /** Which state of the scores `scores` shows; undefined if the server did not say. */
  readonly stamp: Stamp | undefined
  /** When the server last sent or confirmed `scores`, in ms since 1970. */
  readonly confirmedAt: number | undefined
}

export interface ScoreboardOptions {
  /** The address of the API: `https://host[:port]`. In a page: `location.origin`. */
  readonly url: string
  readonly environment?: Environment
  /** Close the socket while the tab is hidden (default: true). */
  readonly pauseWhenHidden?: boolean
  /** Also poll `GET /scores` during the first attempt, so that a board is there early (default: true). */
  readonly fetchFirst?: boolean
}

/**
 * The live board. It never goes back: within an epoch, a version is never shown after a larger one, whichever process
 * or cache sends it, and an older board does not confirm the one on show either. The client connects when it is
 * created and reconnects until `close`, which leaves no timer, listener or socket. The constructor throws for a
 * malformed `url`; nothing throws after that.
 *
 * `ConnectionState.ts` decides what happens; this class does it.
 */
export class ScoreboardClient {
  readonly #environment: Environment
  readonly #boardUrl: string
  readonly #socketUrl: string
  readonly #pauseWhenHidden: boolean
  readonly #listeners = new Listeners<BoardView>()
  readonly #unwatchPage: () => void
  readonly #poller = new Slot()
  readonly #socket = new Slot()
  readonly #redial = new Slot()
  readonly #pause = new Slot()
  #connection = UNSTARTED
  #shown: ViewedBoard | undefined
  #view: BoardView = { state: "connecting", scores: undefined, stamp: undefined, confirmedAt: undefined }

  constructor(options: ScoreboardOptions) {
    this.#environment = options.environment ?? hostEnvironment()
    this.#pauseWhenHidden = options.pauseWhenHidden ?? true
    this.#boardUrl = new URL("/scores", options.url).href
    this.#socketUrl = new URL("/scores/websocket?stamped", options.url).href.replace(/^http/, "ws")
    this.#unwatchPage = this.#environment.watchPage(() => this.#readPage(true))
    this.#readPage(options.fetchFirst ?? true)
  }

  get view(): BoardView {
    return this.#view
  }

  /** Milliseconds since the server last confirmed the board; undefined before the first one. */
  ageMs(): number | undefined {
    const { confirmedAt } = this.#view
    return confirmedAt === undefined ? undefined : Math.max(0, this.#environment.now() - confirmedAt)
  }

  /** Calls `listener` with the current view at once and after every change, until the returned function is called. */
  subscribe(listener: (view: BoardView) => void): () => void {
    return this.#listeners.add(listener, this.#view)
  }

  /** Ends everything. Listeners are not called again, and `view` no longer changes. May be called more than once. */
  close(): void {
    this.#unwatchPage()
    this.#listeners.clear()
    this.#handle({ kind: "closed" })
  }

  #readPage(polls: boolean): void {
    const isHidden = this.#pauseWhenHidden && this.#environment.isHidden()
    this.#handle({ kind: "page", isOnline: this.#environment.isOnline(), isHidden, polls })
  }

  #handle(event: ConnectionEvent): void {
    const moment = { now: this.#environment.now(), chance: this.#environment.random() }
    this.#connection = transition(this.#connection, event, moment)
    this.#runWhatIsNeeded()
    this.#publish()
  }

  #runWhatIsNeeded(): void {
    const { poller, socket, redialAt, pauseAt } = needsOf(this.#connection)
    // Each report of the device about its network has a key, so that a new report starts the poller anew: it polls at once.
    const isOnline = this.#connection.kind === "running" && this.#connection.isOnline
    this.#poller.keep(poller && (isOnline ? 1 : 2), () => this.#poll())
    this.#socket.keep(socket, () => this.#dial())
    this.#redial.keep(redialAt, (at) => this.#timer(at, { kind: "redialDue" }))
    this.#pause.keep(pauseAt, (at) => this.#timer(at, { kind: "pauseDue" }))
  }

  #poll(): () => void {
    return startPolling(this.#environment, this.#boardUrl, {
      onBoard: (board, confirmedAt) => {
        this.#show(board, confirmedAt)
        const isStale = this.#environment.now() - confirmedAt > STALE_MS
        this.#handle({ kind: isStale ? "pollStale" : "pollAnswered" })
      },
      onMiss: () => this.#handle({ kind: "pollMissed" }),
    })
  }

  #dial(): () => void {
    return openBoardSocket(this.#environment, this.#socketUrl, {
      onBoard: (board) => {
        const isNews = this.#show(board, this.#environment.now())
        this.#handle({ kind: "board", isNews })
        return isNews
      },
      onEnd: () => this.#handle({ kind: "socketEnded" }),
    })
  }

  #timer(at: number, event: ConnectionEvent): () => void {
    return this.#environment.after(at - this.#environment.now(), () => this.#handle(event))
  }

  /** Returns false when the board is older than the one on show, which then stays. */
  #show(board: StampedScores, confirmedAt: number): boolean {
    const before = this.#shown
    this.#shown = newerBoard(before, { ...board, confirmedAt }, this.#environment.now())
    return this.#shown !== before
  }

  #publish(): void {
    if (this.#connection.kind === "closed") return
    const { scores, stamp, confirmedAt } = this.#shown ?? {}
    const state = liveStateOf(this.#connection)
    const shown = this.#view
    const isSameBoard =
      scores === shown.scores && confirmedAt === shown.confirmedAt && isSameStamp(stamp, shown.stamp)
    if (state === shown.state && isSameBoard) return
    this.#view = { state, scores, stamp, confirmedAt }
    this.#listeners.notify(this.#view)
  }
}
