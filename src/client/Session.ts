import type { Environment } from "./Environment.ts"
import type { Expired, Failure } from "./Failure.ts"
import { refresh, type RefreshOutcome, signOut, type Tokens } from "./SessionRequests.ts"

/** One sign-in. The tokens are stored only in this object, and only its requests see them. */
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

  /** Aborted when the session ends. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /**
   * Calls `send` with the access token. If the server no longer accepts that token, refreshes it and calls `send` once
   * more. Calls that need a refresh at the same time share one (single-flight). `expired` means that the player has to
   * sign in again.
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

  /** Ends the session here and aborts `signal`. The server is not told. */
  end(): void {
    this.#over.abort()
  }

  /** Ends the session here at once, then on the server, as soon as the server answers. */
  async signOut(): Promise<void> {
    this.end()
    // A refresh under way may replace the refresh token; then the new token is the one to revoke.
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
