import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto"

type Json = Readonly<Record<string, unknown>>

/** A key of an issuer under test. */
export interface IssuerKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The public part as a member of a key set. */
  readonly jwk: Json
}

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url")

/** Makes an RSA key with a random id. */
export const makeIssuerKey = (): IssuerKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const kid = randomUUID()
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" },
  }
}

/** A token signed by this key. `header` and `claims` are used as they are; undefined members are left out. */
export const mint = (key: IssuerKey, claims: unknown, header: Json = {}): string => {
  const input = `${encode({ alg: "RS256", kid: key.kid, ...header })}.${encode(claims)}`
  return `${input}.${sign("RSA-SHA256", Buffer.from(input), key.privateKey).toString("base64url")}`
}

/** A token with any signature: `seal` makes it from the text to be signed. */
export const mintWith = (header: Json, claims: unknown, seal: (input: string) => Buffer): string => {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${seal(input).toString("base64url")}`
}
