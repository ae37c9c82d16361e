import { useState } from "preact/hooks"
import type { Player } from "../../../src/client/Player.ts"
import type { SignInOutcome } from "../../../src/client/SessionRequests.ts"
import { useCountdown } from "../useNow.ts"

const explain = (outcome: SignInOutcome): string => {
  switch (outcome.kind) {
    case "signedIn":
      return ""
    case "wrong":
      return "Wrong e-mail or password."
    case "limited":
      return "Too many attempts. Wait a moment, then try again."
    case "unavailable":
      return "Sign-in is unavailable right now. The board keeps updating."
    case "unanswered":
      return "The server did not answer. Check your connection."
    case "refused":
      return "The server rejected this sign-in."
  }
}

/** The attempts to sign in that a form makes, one at a time. `firstMessage` is shown until the first of them. */
export const useSignIn = (player: Player, firstMessage: string) => {
  const [message, setMessage] = useState(firstMessage)
  const [isBusy, setBusy] = useState(false)
  const [blockedUntil, setBlockedUntil] = useState(0)
  /** Seconds until the server accepts another attempt (429). */
  const wait = useCountdown(blockedUntil)

  /** Tries once. Does nothing and returns undefined during another attempt or a wait. */
  const signIn = async (email: string, password: string): Promise<SignInOutcome | undefined> => {
    if (isBusy || wait > 0) return undefined
    setBusy(true)
    setMessage("")
    const outcome = await player.signIn(email, password)
    setBusy(false)
    setMessage(explain(outcome))
    if (outcome.kind === "limited") setBlockedUntil(Date.now() + outcome.retryAfterSeconds * 1_000)
    return outcome
  }

  return { message, isBusy, wait, signIn }
}
