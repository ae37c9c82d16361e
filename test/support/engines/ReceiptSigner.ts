import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto"

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url")

/** A key of an action's backend. */
export interface ReceiptKey {
  readonly alg: "EdDSA" | "ES256"
  readonly kid: string
  readonly privateKey: KeyObject
  /** The public part as a member of a key set. */
  readonly jwk: Readonly<Record<string, unknown>>
}

/** Makes a key with a random id. */
export const makeReceiptKey = (alg: ReceiptKey["alg"]): ReceiptKey => {
  const { privateKey, publicKey } =
    alg === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" })
  const kid = randomUUID()
  return { alg, kid, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" } }
}

/** A receipt with these claims and, beside `alg` and `kid`, these header members. */
export const signReceipt = (
  key: ReceiptKey,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): string => {
  const input = `${encode({ alg: key.alg, kid: key.kid, ...header })}.${encode(claims)}`
  const seal =
    key.alg === "EdDSA"
      ? sign(null, Buffer.from(input), key.privateKey)
      : sign("sha256", Buffer.from(input), { key: key.privateKey, dsaEncoding: "ieee-p1363" })
  return `${input}.${seal.toString("base64url")}`
}
