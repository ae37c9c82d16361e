import { CognitoFailure, type TokenRejected } from "./Cognito.ts"

/** The `reason` of a token whose subject or id cannot be stored. */
export const OUT_OF_RANGE = "ClaimOutOfRange"

/** Why a token is refused that is in order except for what it says about its user. */
const MATTERS_OF_THE_USER: ReadonlySet<string> = new Set([OUT_OF_RANGE, "MissingSubject", "Oversize"])

/**
 * What it means that a token is refused which the provider issued a moment ago. Unless its user is the reason, a clock,
 * the configuration or the provider is wrong, or our keys are old: a failure, which tells nothing about the user.
 */
export const refusedIssued =
  (operation: CognitoFailure["operation"]) =>
  (error: TokenRejected | CognitoFailure): TokenRejected | CognitoFailure => {
    if (error._tag === "CognitoFailure" || MATTERS_OF_THE_USER.has(error.reason)) return error
    const problem = `A token that the identity provider just issued was refused: ${error.reason}`
    return new CognitoFailure({ operation, cause: new Error(problem) })
  }
