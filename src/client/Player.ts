import type { Scores } from "../domain/Score.ts"
import { type Environment, hostEnvironment } from "./Environment.ts"
import { newIdempotencyKey } from "./IdempotencyKey.ts"
import { Listeners } from "./Listeners.ts"
import type { Failure } from "./Failure.ts"
import { incrementOnce } from "./IncrementRequest.ts"
import { Session } from "./Session.ts"
import { signIn, type SignInOutcome } from "./SessionRequests.ts"
import { StandingReader } from "./StandingReader.ts"
import { type BoardPlace, type Rank, readStanding, type StandingOutcome } from "./StandingRequest.ts"

/** If more presses than this are pending, the server is slow, and further presses would only queue. */
const MAX_PENDING = 20

/** What the page shows of the player. */
export interface PlayerView {
  /** The e-mail address used to sign in; undefined while signed out. */
  readonly email: string | undefined
  /** The session ended because the server no longer accepts the tokens. True until the next sign-in or sign-out. */
  readonly expired: boolean
  /** Presses that are still waiting for their final answer. */
  readonly pending: number
  /** Presses that the server has counted since the sign-in. */
  readonly counted: number
  /** The score last read from the server plus what it has counted since, without `pending`. Undefined until read. */
  readonly score: number | undefined
  /** The rank among all players, as last read; undefined if the server sends none. */
  readonly rank: Rank | undefined
  /**
   * The row on the top ten, as last read. Undefined until then, and if no server has sent one: during a rolling
   * deployment, an older server sends none, and the one before remains valid for its board.
   */
  readonly place: BoardPlace | undefined
  /** Whether any pending press is being retried. */
  readonly retrying: boolean
  /** Why the last failed press failed; undefined again after the next press. */
  readonly problem: Failure | undefined
  /** Whether the server may have counted the press of `problem` all the same. `score` is then read again. */
  readonly mayHaveCounted: boolean
  /** Until then (ms since 1970) `press` refuses, because of a 429 or a long 503. */
  readonly blockedUntil: number
}

const SIGNED_OUT: PlayerView = {
  email: undefined,
  expired: false,
  pending: 0,
  counted: 0,
  score: undefined,
  rank: undefined,
  place: undefined,
  retrying: false,
  problem: undefined,
  mayHaveCounted: false,
  blockedUntil: 0,
}

export interface PlayerOptions {
  /** The address of the API: `https://host[:port]`. In a page: `location.origin`. */
  readonly url: string
  readonly environment?: Environment
}

/** What exists only while the player is signed in. */
interface SignedIn {
  readonly session: Session
  readonly reader: StandingReader
}

/**
 * Signs in, scores points and signs out. The tokens are stored only in its session, and no method returns them. The
 * constructor throws for a malformed `url`; nothing throws after that.
 */
export class Player {
  readonly #environment: Environment
  readonly #url: string
  readonly #listeners = new Listeners<PlayerView>()
  #view = SIGNED_OUT
  #signedIn: SignedIn | undefined
  /** All accepted presses since the sign-in. */
  #presses = 0

  constructor(options: PlayerOptions) {
    this.#environment = options.environment ?? hostEnvironment()
    this.#url = new URL(options.url).href
  }

  get view(): PlayerView {
    return this.#view
  }

  /** Calls `listener` with the current view at once and after every change, until the returned function is called. */
  subscribe(listener: (view: PlayerView) => void): () => void {
    return this.#listeners.add(listener, this.#view)
  }

  /** Tries to sign in once. On success, an earlier player is signed out first; otherwise nothing changes. */
  async signIn(email: string, password: string): Promise<SignInOutcome> {
    const outcome = await signIn(this.#environment, this.#url, { email, password })
    if (outcome.kind === "signedIn") {
      this.signOut()
      const session = new Session(this.#environment, this.#url, outcome.tokens)
      const reader = new StandingReader(this.#environment, () => this.#readStanding(session))
      this.#signedIn = { session, reader }
      this.#change({ ...SIGNED_OUT, email })
      reader.readSoon()
    }
    return outcome
  }

  /**
   * Signs out here at once: drops the tokens and the pending presses, of which the server may still count those that it
   * has received. Ends the session on the server in the background.
   */
  signOut(): void {
    const { session } = this.#signedIn ?? {}
    this.#end(SIGNED_OUT)
    void session?.signOut()
  }

  /**
   * Scores one point, which the server counts at most once. The outcome appears in `view`. Returns false if nothing was
   * sent: signed out, `blockedUntil` not reached, or 20 presses pending.
   */
  press(): boolean {
    const { pending, blockedUntil } = this.#view
    if (this.#signedIn === undefined) return false
    if (pending >= MAX_PENDING || this.#environment.now() < blockedUntil) return false
    this.#presses++
    this.#change({ pending: pending + 1, problem: undefined, mayHaveCounted: false })
    void this.#settle(this.#signedIn)
    return true
  }

  /**
   * Call this when the board has changed to `scores`, because score and rank may have changed, too. Reads them within two
   * seconds, and at least every 45 if the board changes all the time. A player who is on the board, or whose address is,
   * reads at once, because that read tells which row is the player's; there are at most ten.
   */
  boardChanged(scores: Scores = []): void {
    const { place, email } = this.#view
    const own = email?.toLowerCase()
    const mayBeOnBoard =
      place?.place !== undefined || scores.some((score) => score.email.toLowerCase() === own)
    if (mayBeOnBoard) this.#signedIn?.reader.readSoon()
    else this.#signedIn?.reader.readForBoard()
  }

  async #settle({ session, reader }: SignedIn): Promise<void> {
    // A 429 or a refusal says that this attempt did nothing. Of an earlier attempt without an answer it says nothing.
    let isUnclear = false
    const onRetry = () => {
      isUnclear = true
      this.#change({ retrying: true })
    }
    const key = newIdempotencyKey()
    const outcome = await session.run((accessToken) =>
      incrementOnce(this.#environment, this.#url, { accessToken, key, onRetry }, session.signal),
    )
    if (session.signal.aborted) return
    reader.readSoon()
    const { score } = this.#view
    const pending = this.#view.pending - 1
    const rest = { pending, retrying: this.#view.retrying && pending > 0 }
    const mayHaveCounted = isUnclear || outcome.kind === "unanswered" || outcome.kind === "unavailable"
    switch (outcome.kind) {
      case "counted":
        return this.#change({
          ...rest,
          counted: this.#view.counted + 1,
          score: score === undefined ? undefined : score + 1,
        })
      case "expired":
        return this.#end({ ...SIGNED_OUT, expired: true })
      case "limited":
      case "unavailable":
        return this.#change({
          ...rest,
          problem: outcome,
          mayHaveCounted,
          blockedUntil: this.#environment.now() + outcome.retryAfterSeconds * 1_000,
        })
      default:
        return this.#change({ ...rest, problem: outcome, mayHaveCounted })
    }
  }

  async #readStanding(session: Session): Promise<StandingOutcome> {
    const pressesBefore = this.#presses
    const wasSettled = this.#view.pending === 0
    const outcome = await session.run((accessToken) =>
      readStanding(this.#environment, this.#url, accessToken, session.signal),
    )
    if (session.signal.aborted) return outcome
    if (outcome.kind === "expired") this.#end({ ...SIGNED_OUT, expired: true })
    if (outcome.kind === "read") {
      const { score, rank, place = this.#view.place } = outcome.standing
      // It is unknown whether that score includes a pending press. The press reads again when it is settled.
      const isExact = wasSettled && this.#presses === pressesBefore
      this.#change({ rank, place, score: isExact ? score : this.#view.score })
    }
    return outcome
  }

  #end(view: PlayerView): void {
    this.#signedIn?.session.end()
    this.#signedIn?.reader.stop()
    this.#signedIn = undefined
    this.#presses = 0
    this.#change(view)
  }

  #change(change: Partial<PlayerView>): void {
    this.#view = { ...this.#view, ...change }
    this.#listeners.notify(this.#view)
  }
}
