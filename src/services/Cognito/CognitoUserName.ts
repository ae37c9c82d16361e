/** The constraint of Cognito's API: one to 128 visible characters, no spaces. */
const USER_NAME = /^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u

/** Whether a user can have this name at all. A login with any other name is rejected without asking the provider. */
export const isUserName = (text: string): boolean => USER_NAME.test(text)
