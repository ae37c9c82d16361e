import { CognitoIdentityProviderServiceException } from "@aws-sdk/client-cognito-identity-provider"
import { CognitoFailure, LoginRejected, LoginThrottled, TokenRejected } from "./Cognito.ts"

/** How Cognito, or an emulator, refuses this user. The API answers all of them with the same 401. */
const USER_MAY_NOT = new Set([
  "InvalidPasswordException",
  "NotAuthorizedException",
  "PasswordResetRequiredException",
  // A trigger that the pool's owner wrote refused the user.
  "UserLambdaValidationException",
  "UserNotConfirmedException",
  "UserNotFoundException",
])

/** How Cognito asks for fewer calls. */
const SLOW_DOWN = new Set([
  "LimitExceededException",
  "TooManyFailedAttemptsException",
  "TooManyRequestsException",
])

/** The message of a temporary lockout, which Cognito reports under the name of a wrong password. */
const LOCKED_OUT = /attempts exceeded/i

/** The message of a missing or wrong `COGNITO_CLIENT_SECRET`, reported under the name of a wrong password, too. */
const WRONG_SECRET = /secret/i

/** The message about a field that the user typed and whose pattern or length is wrong; all other fields are ours. */
const MALFORMED_INPUT = /at '(?:user_?name|user_?alias|password)' failed to satisfy constraint/i

/** What an error of a login means. Every unlisted error, such as a wrong client or flow, is a failure, not a refusal. */
export const refusedLogin = (cause: unknown): LoginRejected | LoginThrottled | CognitoFailure => {
  const failure = new CognitoFailure({ operation: "login", cause })
  if (!(cause instanceof CognitoIdentityProviderServiceException)) return failure
  const { name, message } = cause
  if (SLOW_DOWN.has(name)) return new LoginThrottled()
  if (name === "NotAuthorizedException" && LOCKED_OUT.test(message)) return new LoginThrottled()
  if (name === "NotAuthorizedException" && WRONG_SECRET.test(message)) return failure
  if (name === "InvalidParameterException" && MALFORMED_INPUT.test(message))
    return new LoginRejected({ reason: name })
  return USER_MAY_NOT.has(name) ? new LoginRejected({ reason: name }) : failure
}

/** The message about a genuine token that may not ask who its user is, reported under the name of a revoked one, too. */
const MISSING_SCOPE = /required scopes?/i

/** The `reason` of a token without the scope that `GetUser` needs. */
export const WITHOUT_SCOPE = "MissingScope"

/** Rejects the token if its user is gone or the provider revoked it; any other error tells nothing about the token. */
export const refusedProfile = (cause: unknown): TokenRejected | CognitoFailure => {
  if (!(cause instanceof CognitoIdentityProviderServiceException) || !USER_MAY_NOT.has(cause.name))
    return new CognitoFailure({ operation: "profile", cause })
  const isScopeMissing = cause.name === "NotAuthorizedException" && MISSING_SCOPE.test(cause.message)
  return new TokenRejected({ reason: isScopeMissing ? WITHOUT_SCOPE : cause.name })
}

/** As `refusedLogin`; a refresh token that rotation has replaced is rejected, too. */
export const refusedRefresh = (cause: unknown): TokenRejected | LoginThrottled | CognitoFailure => {
  if (cause instanceof CognitoIdentityProviderServiceException && cause.name === "RefreshTokenReuseException")
    return new TokenRejected({ reason: cause.name })
  const refused = refusedLogin(cause)
  if (refused._tag === "LoginRejected") return new TokenRejected({ reason: refused.reason })
  return refused._tag === "CognitoFailure" ? new CognitoFailure({ operation: "refresh", cause }) : refused
}

/** The messages about a refresh token that was good once: those of Cognito about any other text say "Invalid". */
const SPENT = /expired|revoked|disabled/i

/** Whether the refresh token was good once: it expired, was revoked or replaced, or its user is gone. */
export const isSpent = (cause: unknown): boolean =>
  cause instanceof CognitoIdentityProviderServiceException &&
  (cause.name === "RefreshTokenReuseException" ||
    cause.name === "UserNotFoundException" ||
    (cause.name === "NotAuthorizedException" && SPENT.test(cause.message)))

/** How Cognito, or an emulator, says that this is no valid refresh token of this client. */
const NO_SUCH_TOKEN = new Set([
  "NotAuthorizedException",
  "UnsupportedTokenTypeException",
  "UserNotFoundException",
])

/** Whether the token was invalid already. RFC 7009 answers such a token like one that was revoked. */
export const isNothingToRevoke = (cause: unknown): boolean =>
  cause instanceof CognitoIdentityProviderServiceException &&
  NO_SUCH_TOKEN.has(cause.name) &&
  !WRONG_SECRET.test(cause.message)
