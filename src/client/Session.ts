import type { Environment } from "./Environment.ts"
import type { Expired, Failure } from "./Failure.ts"
import { refresh, type RefreshOutcome, signOut, type Tokens } from "./SessionRequests.ts"

/** One sign-in. The tokens live in this object and nowhere else; only a request gets to see the access token. */
export class Session {
  readonly #environment: Environment
  readonly #url: string
  readonly #over = new AbortController()
  #tokens: Tokens
  #refreshing: Promise<RefreshOutcome> | undefined

  constructor(environment: Environment, url: string, tokens: Tokens) {
    this.#environment = environment
    this.#url = url
    this.#tokens = tokens
  }

  /** Aborted when the session is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /**
   * Runs `send` with the access token. When the server no longer accepts that token, gets another one, in one
   * request for all who wait for it, and runs `send` once more. `expired` means that only a new sign-in helps.
   */
  async run<Outcome extends { readonly kind: string }>(
    send: (accessToken: string) => Promise<Outcome>,
  ): Promise<Outcome | Expired | Failure> {
    const { accessToken } = this.#tokens
    const outcome = await send(accessToken)
    if (outcome.kind !== "expired" || this.signal.aborted) return outcome
    if (this.#tokens.accessToken === accessToken) {
      const refreshed = await this.#refresh()
      if (refreshed.kind !== "refreshed") return refreshed
    }
    return this.signal.aborted ? outcome : send(this.#tokens.accessToken)
  }

  /** Forgets what is under way. */
  end(): void {
    this.#over.abort()
  }

  /** Ends the session here at once, and on the server as soon as it answers. */
  async signOut(): Promise<void> {
    this.end()
    // A refresh token that is being exchanged may be spent: the new one is to be ended.
    await this.#refreshing
    const outcome = await signOut(this.#environment, this.#url, this.#tokens)
    if (outcome.kind !== "expired") return
    const refreshed = await this.#refresh()
    if (refreshed.kind === "refreshed") {
      await signOut(this.#environment, this.#url, refreshed.tokens)
    }
  }

  #refresh(): Promise<RefreshOutcome> {
    const exchange = async () => {
      const outcome = await refresh(this.#environment, this.#url, this.#tokens.refreshToken)
      this.#refreshing = undefined
      if (outcome.kind === "refreshed") this.#tokens = outcome.tokens
      return outcome
    }
    this.#refreshing ??= exchange()
    return this.#refreshing
  }
}
