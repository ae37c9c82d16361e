/**
 * What names a player, a sign-in or a token: 1 to 255 characters, as OpenID Connect demands of a `sub`, none of them a
 * control character (PostgreSQL cannot store U+0000) or half of a surrogate pair (all halves are the same in UTF-8).
 */
const IDENTIFIER = /^[^\p{Cc}\p{Cs}]{1,255}$/u

/** Whether a text can name something in the database. */
export const isIdentifier = (text: string): boolean => IDENTIFIER.test(text)
