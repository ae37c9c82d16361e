import { validateCognitoJwtFields } from "aws-jwt-verify/cognito-verifier"
import { SimpleJwksCache } from "aws-jwt-verify/jwk"
import { JwtVerifier } from "aws-jwt-verify"
import type { NextFunction, Request, Response } from "express"
import { cognito } from "./config.ts"

const { issuer, jwksUri, clientId } = cognito()

const verifier = JwtVerifier.create(
  {
    issuer,
    audience: null,
    jwksUri,
    customJwtCheck: ({ payload }) => validateCognitoJwtFields(payload, { tokenUse: "access", clientId }),
  },
  {
    // The library's own fetcher takes https only, and the emulated provider speaks http.
    jwksCache: new SimpleJwksCache({
      fetcher: { fetch: (uri) => fetch(uri).then((response) => response.arrayBuffer()) },
    }),
  },
)

/** Lets a request through with `response.locals.userId` set to the verified token's subject. */
export const requireAuth = async (request: Request, response: Response, next: NextFunction) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ")
  if (scheme !== "Bearer" || token === undefined) {
    response.status(401).json({ message: "Unauthorized" })
    return
  }
  try {
    response.locals["userId"] = (await verifier.verify(token)).sub
  } catch {
    response.status(401).json({ message: "Unauthorized" })
    return
  }
  next()
}
