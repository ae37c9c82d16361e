import * as Schema from "effect/Schema"

/** The identity provider refused to work, or did not answer in time. `cause` is for the log only. */
export class CognitoFailure extends Schema.TaggedError<CognitoFailure>()("CognitoFailure", {
  operation: Schema.Literals(["start", "login", "verify", "profile", "refresh", "revoke", "check"]),
  cause: Schema.Defect(),
}) {}

/** Unknown user, wrong password, or an account that cannot sign in with a password now. */
export class LoginRejected extends Schema.TaggedError<LoginRejected>()("LoginRejected", {
  /** Why, for the log and the metrics: the provider's name of the error or challenge, never an address. */
  reason: Schema.String,
}) {}

/** The provider asks us to slow down. */
export class LoginThrottled extends Schema.TaggedError<LoginThrottled>()("LoginThrottled", {}) {}

/** The token is not one that this pool and client issued, or is no longer valid. */
export class TokenRejected extends Schema.TaggedError<TokenRejected>()("TokenRejected", {
  /** Why, for the log and the metrics: never the token or a part of it. */
  reason: Schema.String,
}) {}
