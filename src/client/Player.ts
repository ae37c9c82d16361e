import { type Environment, hostEnvironment } from "./Environment.ts"
import { newIdempotencyKey } from "./IdempotencyKey.ts"
import { Listeners } from "./Listeners.ts"
import type { Failure } from "./Failure.ts"
import { incrementOnce } from "./IncrementRequest.ts"
import { Session } from "./Session.ts"
import { signIn, type SignInOutcome } from "./SessionRequests.ts"
import { StandingReader } from "./StandingReader.ts"
import { type Rank, readStanding, type StandingOutcome } from "./StandingRequest.ts"

/** More presses than this in the air say that the server is slow; more would only queue. */
const MAX_PENDING = 20

/** A change of the board reaches every player at the same moment; their questions spread over this time. */
const LOOK_SPREAD_MS = 1_000

/** What a signed-in player, or one who was, may be shown. */
export interface PlayerView {
  /** The address used to sign in; undefined while signed out. */
  readonly email: string | undefined
  /** The server no longer accepts this player's tokens; true until the next sign-in or sign-out. */
  readonly expired: boolean
  /** Presses without a final answer. */
  readonly pending: number
  /** Presses the server has counted since the sign-in. */
  readonly counted: number
  /** The score as the server last told it, and what it has counted since; undefined until then. Not the pending. */
  readonly score: number | undefined
  /** Where the player stands among all, as of the last look; undefined when the server does not tell. */
  readonly rank: Rank | undefined
  /** Whether a pending press has been sent more than once. */
  readonly retrying: boolean
  /** Why the last press that failed did; undefined once another press is made. */
  readonly problem: Failure | undefined
  /** Presses are refused until then, in milliseconds since 1970 (429, or a long 503). */
  readonly blockedUntil: number
}

const SIGNED_OUT: PlayerView = {
  email: undefined,
  expired: false,
  pending: 0,
  counted: 0,
  score: undefined,
  rank: undefined,
  retrying: false,
  problem: undefined,
  blockedUntil: 0,
}

export interface PlayerOptions {
  /** Where the API is: `https://host[:port]`. In a page: `location.origin`. */
  readonly url: string
  readonly environment?: Environment
}

/** What is there only while signed in. */
interface SignedIn {
  readonly session: Session
  readonly reader: StandingReader
}

/**
 * Signs in, raises the score, signs out. The tokens live in its session and nowhere else, and no method gives
 * them out. Never throws after construction.
 */
export class Player {
  readonly #environment: Environment
  readonly #url: string
  readonly #listeners = new Listeners<PlayerView>()
  #view = SIGNED_OUT
  #signedIn: SignedIn | undefined
  /** All presses since the sign-in. */
  #presses = 0

  constructor(options: PlayerOptions) {
    this.#environment = options.environment ?? hostEnvironment()
    this.#url = new URL(options.url).href
  }

  get view(): PlayerView {
    return this.#view
  }

  /** Calls `listener` with the current view at once and after every change, until the returned function runs. */
  subscribe(listener: (view: PlayerView) => void): () => void {
    return this.#listeners.add(listener, this.#view)
  }

  /** One attempt. On success any earlier player is signed out; otherwise nothing changes. */
  async signIn(email: string, password: string): Promise<SignInOutcome> {
    const outcome = await signIn(this.#environment, this.#url, { email, password })
    if (outcome.kind === "signedIn") {
      this.signOut()
      const session = new Session(this.#environment, this.#url, outcome.tokens)
      const reader = new StandingReader(this.#environment, () => this.#readStanding(session))
      this.#signedIn = { session, reader }
      this.#change({ ...SIGNED_OUT, email })
      reader.look()
    }
    return outcome
  }

  /**
   * Signed out here at once: forgets the tokens and gives up pending presses; the server may still count those it
   * already has. The server is told in the background.
   */
  signOut(): void {
    const { session } = this.#signedIn ?? {}
    this.#end(SIGNED_OUT)
    void session?.signOut()
  }

  /**
   * Raises the score by one, counted at most once. False when it cannot be sent now: signed out, asked to
   * wait, or too many presses in the air. The outcome shows in `view`.
   */
  press(): boolean {
    const { pending, blockedUntil } = this.#view
    if (this.#signedIn === undefined) return false
    if (pending >= MAX_PENDING || this.#environment.now() < blockedUntil) return false
    this.#presses++
    this.#change({ pending: pending + 1, problem: undefined })
    void this.#settle(this.#signedIn)
    return true
  }

  /** The board has changed, and with it perhaps score and rank: asks again, in the next second or two. */
  boardChanged(): void {
    this.#signedIn?.reader.look(LOOK_SPREAD_MS)
  }

  async #settle({ session, reader }: SignedIn): Promise<void> {
    const onRetry = () => this.#change({ retrying: true })
    const key = newIdempotencyKey()
    const outcome = await session.run((accessToken) =>
      incrementOnce(this.#environment, this.#url, { accessToken, key, onRetry }, session.signal),
    )
    if (session.signal.aborted) return
    reader.look()
    const { score } = this.#view
    const pending = this.#view.pending - 1
    const rest = { pending, retrying: this.#view.retrying && pending > 0 }
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
          blockedUntil: this.#environment.now() + outcome.retryAfterSeconds * 1_000,
        })
      default:
        return this.#change({ ...rest, problem: outcome })
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
      const { score, rank } = outcome.standing
      // Whether a press in the air is part of that score is unknown; its settling asks again.
      const isExact = wasSettled && this.#presses === pressesBefore
      this.#change({ rank, score: isExact ? score : this.#view.score })
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
