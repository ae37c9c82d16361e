import type { CognitoIdentityProviderClient } from "@aws-sdk/client-cognito-identity-provider"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { CognitoFailure } from "./Cognito.ts"
import type { Tokens } from "./CognitoTokens.ts"

/** The client application of a user pool, and the SDK's client to call the pool with. */
export interface UserPool {
  readonly client: CognitoIdentityProviderClient
  readonly clientId: string
  /** None for a public client, which has no secret. */
  readonly clientSecret: Option.Option<Redacted.Redacted>
  /** Whether an address counts although the pool says that it is not verified. */
  readonly allowUnverifiedEmail: boolean
}

/**
 * The time of one operation in all, including a fetch of the keys: less than the three seconds that a caller of the
 * API waits at most, because the answer has to be written, too.
 */
const CALL_LIMIT = "2500 millis"

/** Replaces a parser's error: it quotes the text it failed on, which may contain tokens. */
const withoutText = (cause: unknown) =>
  cause instanceof SyntaxError ? new Error("The answer of the identity provider is not JSON") : cause

/** Makes one call to the pool; an interruption aborts it. `refused` says what an error means. */
export const call = <A, E>(
  refused: (cause: unknown) => E,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<A>,
) =>
  Effect.tryPromise({
    try: (abortSignal) => send({ abortSignal }),
    catch: (cause) => refused(withoutText(cause)),
  })

/** A failure because the provider did something that its interface does not promise. */
export const unexpected = (operation: CognitoFailure["operation"], problem: string) =>
  new CognitoFailure({ operation, cause: new Error(problem) })

/** What an operation waits for: the pool, or the issuer's keys. */
export interface Stage {
  operation: CognitoFailure["operation"]
  peer: string
}

/** Ends the whole operation after `CALL_LIMIT`. The failure says what was waited for then. */
export const limited = <A, E>(
  operation: CognitoFailure["operation"],
  work: (stage: Stage) => Effect.Effect<A, E>,
): Effect.Effect<A, E | CognitoFailure> =>
  Effect.suspend(() => {
    const stage: Stage = { operation, peer: "The identity provider" }
    return Effect.timeoutOrElse(work(stage), {
      duration: CALL_LIMIT,
      orElse: () =>
        Effect.fail(unexpected(stage.operation, `${stage.peer} did not answer within ${CALL_LIMIT}`)),
    })
  })

/** The part of an operation that checks a token, which may have to fetch the issuer's keys. */
export const checkingToken =
  (stage: Stage, { jwksUri }: Pick<Tokens, "jwksUri">) =>
  <A, E>(check: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const before = { ...stage }
      Object.assign(stage, { operation: "verify", peer: `The key set at ${jwksUri}` } satisfies Stage)
      // Not after an interruption: then the time is over, and this is what was waited for.
      const done = Effect.sync(() => Object.assign(stage, before))
      return check.pipe(
        Effect.tap(done),
        Effect.tapError(() => done),
      )
    })
