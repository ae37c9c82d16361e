/**
 * An address or user name that can be stored and shown: 1 to 2048 characters, the limit of Cognito's attributes, none of
 * them a control character or half of a surrogate pair.
 */
const STORABLE = /^[^\p{Cc}\p{Cs}]{1,2048}$/u

/** The address, unless there is none, or none that can be stored. */
export const storableEmail = (email: unknown): string | undefined =>
  typeof email === "string" && STORABLE.test(email) ? email : undefined

/**
 * Whether the provider says that the address is not verified: in tokens a boolean, in the attributes of a user a text.
 * A provider that says nothing is taken at its word that the address is the user's.
 */
export const isUnverified = (verified: unknown): boolean => verified === false || verified === "false"
