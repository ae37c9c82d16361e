import { generateKeyPairSync, randomBytes, sign } from "node:crypto"

/** A certificate and its key, as PEM. It is its own authority: a client that is given it as `ca` trusts it. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

// X.509 in DER: each value is its type, its length, and its content. Node reads certificates and does not write them.
const der = (type: number, ...content: ReadonlyArray<Buffer>): Buffer => {
  const bytes = Buffer.concat(content)
  const length =
    bytes.length < 0x80
      ? [bytes.length]
      : bytes.length < 0x100
        ? [0x81, bytes.length]
        : [0x82, bytes.length >> 8, bytes.length & 0xff]
  return Buffer.concat([Buffer.from([type, ...length]), bytes])
}
const sequence = (...content: ReadonlyArray<Buffer>) => der(0x30, ...content)
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"))
const TRUE = der(0x01, Buffer.from([0xff]))

const ECDSA_WITH_SHA256 = sequence(oid("2a8648ce3d040302"))
const COMMON_NAME = oid("550403")
const BASIC_CONSTRAINTS = oid("551d13")
const SUBJECT_ALTERNATIVE_NAME = oid("551d11")

const DAY_MILLIS = 24 * 3600 * 1000

/** As UTCTime has it, which is enough until 2049: YYMMDDhhmmssZ. */
const timeOf = (millis: number) =>
  der(0x17, Buffer.from(new Date(millis).toISOString().replaceAll(/^20|[-:T]|\.\d+/g, "")))

/** Makes a certificate for localhost and 127.0.0.1, valid from yesterday until tomorrow. */
export const makeCertificate = (): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from("scoreboard test")))))
  const names = sequence(der(0x82, Buffer.from("localhost")), der(0x87, Buffer.from([127, 0, 0, 1])))
  const signed = sequence(
    // Version 3, which has extensions.
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(timeOf(Date.now() - DAY_MILLIS), timeOf(Date.now() + DAY_MILLIS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      0xa3,
      sequence(
        sequence(BASIC_CONSTRAINTS, TRUE, der(0x04, sequence(TRUE))),
        sequence(SUBJECT_ALTERNATIVE_NAME, der(0x04, names)),
      ),
    ),
  )
  const signature = der(0x03, Buffer.from([0]), sign("sha256", signed, privateKey))
  const text = sequence(signed, ECDSA_WITH_SHA256, signature).toString("base64").replaceAll(/.{64}/g, "$&\n")
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  }
}
