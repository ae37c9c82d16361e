import * as Effect from "effect/Effect"
import { CognitoFailure } from "./Cognito.ts"

/** One operation in all, fetch of the keys included: the design's three seconds, less what the answer needs. */
const CALL_LIMIT = "2500 millis"

/** A parser quotes the text it stumbled over, and there are tokens in it. */
const withoutText = (cause: unknown) =>
  cause instanceof SyntaxError ? new Error("The answer of the identity provider is not JSON") : cause

/** One call; an interruption aborts it. */
export const call = <A, E>(
  refused: (cause: unknown) => E,
  send: (options: { readonly abortSignal: AbortSignal }) => Promise<A>,
) =>
  Effect.tryPromise({
    try: (abortSignal) => send({ abortSignal }),
    catch: (cause) => refused(withoutText(cause)),
  })

/** The provider did something that its interface does not promise. */
export const unexpected = (operation: CognitoFailure["operation"], problem: string) =>
  new CognitoFailure({ operation, cause: new Error(problem) })

/** The whole operation within the time limit. */
export const limited =
  (operation: CognitoFailure["operation"]) =>
  <A, E>(self: Effect.Effect<A, E>) =>
    Effect.timeoutOrElse(self, {
      duration: CALL_LIMIT,
      orElse: () =>
        Effect.fail(unexpected(operation, `The identity provider did not answer within ${CALL_LIMIT}`)),
    })
