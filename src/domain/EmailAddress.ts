/**
 * What may be an e-mail address: one `@` between two parts without spaces and control characters, at most 320
 * characters (RFC 5321: 64 before the `@`, 255 after it). Only a message to it would show whether it is one.
 */
const EMAIL_ADDRESS = /^(?=.{3,320}$)[^@\s\p{Cc}\p{Cs}]+@[^@\s\p{Cc}\p{Cs}]+$/u

/** Whether a text may be an e-mail address. */
export const isEmailAddress = (text: string): boolean => EMAIL_ADDRESS.test(text)
