import { randomBytes, randomUUID } from "node:crypto"
import * as FakeCognito from "../test/support/engines/FakeCognito.ts"
import { mint } from "../test/support/engines/TokenIssuer.ts"
import type { IncrementRequest } from "./cells/increments.ts"

/** An hour is more than any run. */
const TOKEN_SECONDS = 3600

/** Increments of these players in turn, each with an access token of its own; every call makes those of one run. */
export const incrementsOf = (issuer: string, players: ReadonlyArray<string>): (() => IncrementRequest) => {
  const now = Math.floor(Date.now() / 1000)
  const heads = players.map((sub) => {
    const token = mint(FakeCognito.key, {
      sub,
      iss: issuer,
      token_use: "access",
      client_id: FakeCognito.CLIENT,
      jti: randomUUID(),
      iat: now,
      exp: now + TOKEN_SECONDS,
    })
    return `POST /scores/increment HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\nIdempotency-Key: `
  })
  // Keys differ between runs and requests, as a browser's do.
  return () => {
    const run = randomBytes(9).toString("base64url")
    return (n) => `${heads[n % heads.length]}${run}-${n}\r\n\r\n`
  }
}
