import * as Schema from "effect/Schema"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import {
  ContentTooLarge,
  ForeignRefreshToken,
  InvalidCredentials,
  InvalidRefreshToken,
  TooManyRequests,
  Unauthorized,
  Unavailable,
  UnsupportedMediaType,
} from "./Errors.ts"
import { History, HISTORY_PAGE, HistoryCursor } from "./PlayerHistory.ts"
import { pageLimit } from "./IntegerText.ts"

/** The routes under `/users`, for `ScoreboardApi`, which also says which of them need an access token. */

const AccessToken = Schema.String.annotate({
  description: "A JWT. Send it as `Authorization: Bearer <accessToken>`.",
})
const RefreshToken = Schema.NonEmptyString.annotate({
  description: "The newest refresh token of the sign-in: from the sign-in itself, or from a refresh.",
})

const Credentials = Schema.Struct({
  email: Schema.NonEmptyString.annotate({ description: "The e-mail address of the account." }),
  password: Schema.NonEmptyString,
}).annotate({
  identifier: "Credentials",
  description: "Who signs in.",
  examples: [{ email: "user@example.com", password: "your_password" }],
})

const Tokens = Schema.Struct({
  accessToken: AccessToken,
  refreshToken: Schema.String.annotate({
    description: "Gets new access tokens. Store it like a password.",
  }),
}).annotate({ identifier: "Tokens", description: "The tokens of a sign-in." })

const RefreshRequest = Schema.Struct({ refreshToken: RefreshToken }).annotate({
  identifier: "RefreshRequest",
  description: "Names a sign-in by its refresh token.",
})

const RefreshedTokens = Schema.Struct({
  accessToken: AccessToken,
  refreshToken: Schema.optionalKey(
    Schema.String.annotate({
      description: "Replaces the token you sent. If absent, that token remains valid.",
    }),
  ),
}).annotate({ identifier: "RefreshedTokens", description: "A new access token." })

/** What the body of a request can be refused for, before it is decoded. */
const bodyErrors = [ContentTooLarge, UnsupportedMediaType] as const

export const login = HttpApiEndpoint.post("login", "/auth/login", {
  payload: Credentials,
  success: Tokens,
  error: [InvalidCredentials.response, TooManyRequests.response, Unavailable.response, ...bodyErrors],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "login",
    summary: "Sign in",
    description:
      "Authenticates with e-mail and password. The identity provider (Cognito) issues the tokens. " +
      "An unknown e-mail and a wrong password get the same answer. " +
      "Sign-ins are limited per account and per address: 429 says when to try again.",
  }),
)

export const refresh = HttpApiEndpoint.post("refresh", "/auth/refresh", {
  payload: RefreshRequest,
  success: RefreshedTokens,
  error: [InvalidRefreshToken.response, TooManyRequests.response, Unavailable.response, ...bodyErrors],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "refresh",
    summary: "Get a new access token",
    description:
      "Call this when the access token expires; refresh tokens live much longer. " +
      "401 also if the sign-in was ended: sign in again.",
  }),
)

export const logout = HttpApiEndpoint.post("logout", "/auth/logout", {
  payload: RefreshRequest,
  success: HttpApiSchema.NoContent.annotate({ description: "The sign-in has ended." }),
  error: [ForeignRefreshToken, Unauthorized.response, Unavailable.response, ...bodyErrors],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "logout",
    summary: "Sign out",
    description:
      "Ends the sign-in: every server refuses its access tokens and its refresh token from now on. " +
      "Without a refresh token of the same sign-in the answer is 400, and the sign-in of the access token has ended " +
      "all the same. A refresh token that has expired or was revoked counts as ended. " +
      "After a 503 one of the two may still be valid: send the request again with the same tokens.",
  }),
)

export const history = HttpApiEndpoint.get("history", "/me/history", {
  query: {
    after: Schema.optionalKey(
      HistoryCursor.annotate({ description: "The `next` of the page before. Absent: the newest page." }),
    ),
    limit: Schema.optionalKey(pageLimit(HISTORY_PAGE)),
  },
  success: History,
  error: [Unauthorized.response, Unavailable.response],
}).annotateMerge(
  OpenApi.annotations({
    identifier: "getHistory",
    summary: "List the changes of the caller's score",
    description:
      "Every change of the caller's score, newest first. The amounts on all pages add up to the score.",
  }),
)
