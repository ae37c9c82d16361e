import { defaultProvider } from "@aws-sdk/credential-provider-node"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** How long credentials without an expiry are used before they are read again. */
const READ_AGAIN = Duration.seconds(10)

/** How long before their expiry the SDK asks for credentials again: a constant of the SDK. */
const RENEWED_BEFORE = Duration.minutes(5)

const LIFETIME = Duration.sum(RENEWED_BEFORE, READ_AGAIN)

/**
 * The SDK's own chain: environment, shared files, web identity, container, instance. The chain keeps credentials
 * without an expiry for ever, and the text of a file as well, so a process would never see that its credentials file
 * was rotated. Here such credentials get an expiry, and are read from their source again.
 */
export const makeCredentials = (region: string) => {
  const chain = defaultProvider({ clientConfig: { region }, ignoreCache: true })
  let forceRefresh = false
  return async (properties: Parameters<typeof chain>[0]) => {
    const found = await chain({ ...properties, forceRefresh })
    forceRefresh = found.expiration === undefined
    return forceRefresh
      ? { ...found, expiration: DateTime.toDateUtc(DateTime.addDuration(DateTime.nowUnsafe(), LIFETIME)) }
      : found
  }
}
