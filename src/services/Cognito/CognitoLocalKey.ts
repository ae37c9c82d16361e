import { createHash, createPrivateKey, generateKeyPair, type KeyObject, randomUUID, sign } from "node:crypto"
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { CognitoFailure } from "./Cognito.ts"

/** The signing key within the data folder: PKCS #8 PEM, readable by its owner only. */
const KEY_FILE = "identity-key.pem"

/** The length of the key in bits, the same as of Cognito's own keys. */
const MODULUS_BITS = 2048

/** The key of the local identity provider. */
export interface LocalKey {
  /** The public part as a key set (RFC 7517). */
  readonly keySet: unknown
  /** Gives a token (RS256) with these claims. */
  readonly sign: (claims: Readonly<Record<string, unknown>>) => string
}

const readKey = (path: string) =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })

/**
 * Writes the new key to a draft and then links it to its place. So no process reads half a key, and if two processes
 * start for the first time at once, both use the key that was linked first.
 */
const writeNewKey = async (dataDir: string, path: string) => {
  await mkdir(dataDir, { recursive: true })
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: MODULUS_BITS })
  const draft = join(dataDir, `${KEY_FILE}.${randomUUID()}`)
  try {
    await writeFile(draft, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600, flag: "wx" })
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
}

const loadKey = async (dataDir: string): Promise<KeyObject> => {
  const path = join(dataDir, KEY_FILE)
  const pem = await readKey(path)
  if (pem !== undefined) return createPrivateKey(pem)
  await writeNewKey(dataDir, path)
  return createPrivateKey(await readFile(path, "utf8"))
}

const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url")

const toLocalKey = (privateKey: KeyObject): LocalKey => {
  const { e, n } = privateKey.export({ format: "jwk" })
  // The thumbprint of RFC 7638: exactly these members in this order.
  const kid = createHash("sha256")
    .update(JSON.stringify({ e, kty: "RSA", n }))
    .digest("base64url")
  const header = encode({ alg: "RS256", kid })
  return {
    keySet: { keys: [{ kty: "RSA", use: "sig", alg: "RS256", kid, e, n }] },
    sign: (claims) => {
      const input = `${header}.${encode(claims)}`
      return `${input}.${sign("RSA-SHA256", Buffer.from(input), privateKey).toString("base64url")}`
    },
  }
}

/** The key stored in `dataDir`, created on the first start. So tokens remain valid after a restart. */
export const loadLocalKey = (dataDir: string): Effect.Effect<LocalKey, CognitoFailure> =>
  Effect.tryPromise({
    try: async () => toLocalKey(await loadKey(dataDir)),
    catch: (cause) => new CognitoFailure({ operation: "start", cause }),
  })
