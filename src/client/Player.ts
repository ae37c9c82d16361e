import { type Environment, hostEnvironment } from "./Environment.ts"
import { newIdempotencyKey } from "./IdempotencyKey.ts"
import { Listeners } from "./Listeners.ts"
import { incrementOnce, signIn, type Failure, type SignInOutcome, type Tokens } from "./PlayerRequests.ts"

/** More presses than this in the air say that the server is slow; more would only queue. */
const MAX_PENDING = 20

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
  retrying: false,
  problem: undefined,
  blockedUntil: 0,
}

export interface PlayerOptions {
  /** Where the API is: `https://host[:port]`. In a page: `location.origin`. */
  readonly url: string
  readonly environment?: Environment
}

/**
 * Signs in, raises the score, signs out. The tokens live in this object and nowhere else, and no method gives
 * them out. Never throws after construction.
 */
export class Player {
  readonly #environment: Environment
  readonly #url: string
  readonly #listeners = new Listeners<PlayerView>()
  #view = SIGNED_OUT
  #tokens: Tokens | undefined
  #session = new AbortController()

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
    const outcome = await signIn(this.#environment, this.#url, { email, password }, this.#session.signal)
    if (outcome.kind === "signedIn") {
      this.#end({ ...SIGNED_OUT, email })
      this.#tokens = outcome.tokens
    }
    return outcome
  }

  /** Forgets the tokens and gives up pending presses; the server may still count those it already has. */
  signOut(): void {
    this.#end(SIGNED_OUT)
  }

  /**
   * Raises the score by one, counted at most once. False when it cannot be sent now: signed out, asked to
   * wait, or too many presses in the air. The outcome shows in `view`.
   */
  press(): boolean {
    const tokens = this.#tokens
    const { pending, blockedUntil } = this.#view
    if (tokens === undefined || pending >= MAX_PENDING || this.#environment.now() < blockedUntil) return false
    this.#change({ pending: pending + 1, problem: undefined })
    void this.#settle(tokens.accessToken)
    return true
  }

  async #settle(accessToken: string): Promise<void> {
    const { signal } = this.#session
    const onRetry = () => this.#change({ retrying: true })
    const press = { accessToken, key: newIdempotencyKey(), onRetry }
    const outcome = await incrementOnce(this.#environment, this.#url, press, signal)
    if (signal.aborted) return
    const pending = this.#view.pending - 1
    const rest = { pending, retrying: this.#view.retrying && pending > 0 }
    switch (outcome.kind) {
      case "counted":
        return this.#change({ ...rest, counted: this.#view.counted + 1 })
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

  #end(view: PlayerView): void {
    this.#session.abort()
    this.#session = new AbortController()
    this.#tokens = undefined
    this.#change(view)
  }

  #change(change: Partial<PlayerView>): void {
    this.#view = { ...this.#view, ...change }
    this.#listeners.notify(this.#view)
  }
}
