import { useEffect, useRef, useState } from "preact/hooks"
import type { Player } from "../../../src/client/Player.ts"
import { formatWait } from "../format.ts"
import { Field, type FieldName } from "./Field.tsx"
import { ChangingText } from "../ChangingText.tsx"
import { useSignIn } from "./useSignIn.ts"

const MISSING = { email: "Enter your e-mail address.", password: "Enter your password." }

interface SignInFormProps {
  readonly player: Player
  /** Whether the last session ended because the server no longer accepts it. */
  readonly expired: boolean
  /** The e-mail address of the last sign-in on this page; empty if there was none. */
  readonly lastEmail: string
}

export const SignInForm = ({ player, expired, lastEmail }: SignInFormProps) => {
  const form = useRef<HTMLFormElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  const [values, setValues] = useState({ email: expired ? lastEmail : "", password: "" })
  const [touched, setTouched] = useState({ email: false, password: false })
  const { message, isBusy, wait, signIn } = useSignIn(
    player,
    expired ? "Your session has expired. Sign in again." : "",
  )

  const focus = (name: FieldName) => form.current?.querySelector<HTMLInputElement>(`[name=${name}]`)?.focus()
  // After a sign-out, the button that had the focus no longer exists. The next step for the player is here.
  useEffect(() => {
    if (expired) focus("password")
    else if (lastEmail !== "") title.current?.focus({ preventScroll: true })
  }, [])

  // Phone keyboards add a space after a word that they complete. In a password, a space may be meant.
  const isMissing = (name: FieldName) => (name === "email" ? values.email.trim() : values.password) === ""

  const submit = async () => {
    setTouched({ email: true, password: true })
    const missing = (["email", "password"] as const).find(isMissing)
    if (missing) return focus(missing)
    const outcome = await signIn(values.email.trim(), values.password)
    if (outcome?.kind === "wrong") focus("password")
  }

  const field = (name: FieldName, label: string) => (
    <Field
      name={name}
      label={label}
      value={values[name]}
      error={touched[name] && isMissing(name) ? MISSING[name] : undefined}
      onInput={(value) => setValues((before) => ({ ...before, [name]: value }))}
      onBlur={() => setTouched((before) => ({ ...before, [name]: before[name] || values[name] !== "" }))}
    />
  )

  return (
    <form
      ref={form}
      class="card sign-in"
      noValidate
      aria-labelledby="sign-in-title"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <h2 id="sign-in-title" ref={title} tabIndex={-1}>
        Sign in to play
      </h2>
      <p class="message" role="alert">
        <ChangingText>{message}</ChangingText>
      </p>
      {field("email", "E-mail")}
      {field("password", "Password")}
      <button type="submit" class="button primary" aria-disabled={isBusy || wait > 0}>
        <ChangingText>
          {wait > 0 ? `Wait ${formatWait(wait)}` : isBusy ? "Signing in…" : "Sign in"}
        </ChangingText>
      </button>
    </form>
  )
}
