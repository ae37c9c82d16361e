import { CognitoIdentityProviderServiceException } from "@aws-sdk/client-cognito-identity-provider"
import { CognitoFailure, LoginRejected, LoginThrottled, TokenRejected } from "./Cognito.ts"

/** What Cognito, or its emulator, answers when it is the user who may not: one and the same 401 for all of them. */
const USER_MAY_NOT = new Set([
  "InvalidPasswordException",
  "NotAuthorizedException",
  "PasswordResetRequiredException",
  // A trigger of the pool's owner said no.
  "UserLambdaValidationException",
  "UserNotConfirmedException",
  "UserNotFoundException",
])

const SLOW_DOWN = new Set([
  "LimitExceededException",
  "TooManyFailedAttemptsException",
  "TooManyRequestsException",
])

/** Cognito locks an account out for a while under the name of a wrong password. */
const LOCKED_OUT = /attempts exceeded/i

/** A missing or wrong `COGNITO_CLIENT_SECRET` comes under the name of a wrong password, too. */
const WRONG_SECRET = /secret/i

/** The value of a field that the user typed breaks the API's pattern or length; other fields are ours. */
const MALFORMED_INPUT = /at '(?:user_?name|user_?alias|password)' failed to satisfy constraint/i

/** Every other outcome, a wrong client or flow among them, is the fault of the configuration or of the provider. */
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

/** The user is gone, or the token was revoked at the provider; anything else says nothing about the token. */
export const refusedProfile = (cause: unknown): TokenRejected | CognitoFailure =>
  cause instanceof CognitoIdentityProviderServiceException && USER_MAY_NOT.has(cause.name)
    ? new TokenRejected({ reason: cause.name })
    : new CognitoFailure({ operation: "profile", cause })

/** As `refusedLogin`; a token that rotation replaced is a refusal, too. */
export const refusedRefresh = (cause: unknown): TokenRejected | LoginThrottled | CognitoFailure => {
  if (cause instanceof CognitoIdentityProviderServiceException && cause.name === "RefreshTokenReuseException")
    return new TokenRejected({ reason: cause.name })
  const refused = refusedLogin(cause)
  if (refused._tag === "LoginRejected") return new TokenRejected({ reason: refused.reason })
  return refused._tag === "CognitoFailure" ? new CognitoFailure({ operation: "refresh", cause }) : refused
}

/** Cognito, or its emulator, says that this is no refresh token of this client (any more). */
const NO_SUCH_TOKEN = new Set([
  "NotAuthorizedException",
  "UnsupportedTokenTypeException",
  "UserNotFoundException",
])

/** A token that does not hold needs no end: RFC 7009 answers it like one that was revoked. */
export const isNothingToRevoke = (cause: unknown): boolean =>
  cause instanceof CognitoIdentityProviderServiceException &&
  NO_SUCH_TOKEN.has(cause.name) &&
  !WRONG_SECRET.test(cause.message)
