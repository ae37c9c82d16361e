import { useEffect, useRef, useState } from "preact/hooks"
import type { Player } from "../../../src/client/Player.ts"
import type { SignInOutcome } from "../../../src/client/SessionRequests.ts"
import { formatWait } from "../format.ts"
import { useCountdown } from "../useNow.ts"

const MISSING = { email: "Enter your e-mail address.", password: "Enter your password." }
type FieldName = keyof typeof MISSING

const explain = (outcome: SignInOutcome): string => {
  switch (outcome.kind) {
    case "signedIn":
      return ""
    case "wrong":
      return "Wrong e-mail or password."
    case "limited":
      return "Too many attempts. Wait a moment before the next one."
    case "unavailable":
      return "Signing in is not possible at the moment. The board goes on."
    case "unanswered":
      return "No answer from the server. Check your connection."
    case "refused":
      return "The server did not understand this sign-in."
  }
}

/** Not `type="email"`: browsers rewrite what is typed there, and an address is data. */
const ADDRESS = {
  type: "text",
  inputMode: "email",
  autocomplete: "username",
  autocapitalize: "none",
} as const
const PASSWORD = { type: "password", autocomplete: "current-password" } as const

interface FieldProps {
  readonly name: FieldName
  readonly label: string
  readonly value: string
  readonly error: string | undefined
  readonly onInput: (value: string) => void
  readonly onBlur: () => void
}

const Field = ({ name, label, value, error, onInput, onBlur }: FieldProps) => {
  const id = `sign-in-${name}`
  const isPassword = name === "password"
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        {...(isPassword ? PASSWORD : ADDRESS)}
        spellcheck={false}
        value={value}
        required
        aria-invalid={error !== undefined}
        aria-describedby={error && `${id}-error`}
        onInput={(event) => onInput(event.currentTarget.value)}
        onBlur={onBlur}
      />
      {error && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

interface SignInFormProps {
  readonly player: Player
  /** Whether the last session ended because the server no longer accepts it. */
  readonly expired: boolean
  /** The address of the last sign-in on this page; empty when there was none. */
  readonly lastEmail: string
}

export const SignInForm = ({ player, expired, lastEmail }: SignInFormProps) => {
  const form = useRef<HTMLFormElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  const [values, setValues] = useState({ email: expired ? lastEmail : "", password: "" })
  const [touched, setTouched] = useState({ email: false, password: false })
  const [message, setMessage] = useState(expired ? "Your session has expired. Sign in again." : "")
  const [isBusy, setBusy] = useState(false)
  const [blockedUntil, setBlockedUntil] = useState(0)
  const wait = useCountdown(blockedUntil)

  const focus = (name: FieldName) => form.current?.querySelector<HTMLInputElement>(`[name=${name}]`)?.focus()
  // The button that was pressed last is gone, and with it the focus: the way back in starts here.
  useEffect(() => {
    if (expired) focus("password")
    else if (lastEmail !== "") title.current?.focus({ preventScroll: true })
  }, [])

  const submit = async () => {
    setTouched({ email: true, password: true })
    const missing = (["email", "password"] as const).find((name) => values[name] === "")
    if (missing) return focus(missing)
    if (isBusy || wait > 0) return
    setBusy(true)
    setMessage("")
    const outcome = await player.signIn(values.email, values.password)
    setBusy(false)
    setMessage(explain(outcome))
    if (outcome.kind === "wrong") focus("password")
    if (outcome.kind === "limited") setBlockedUntil(Date.now() + outcome.retryAfterSeconds * 1_000)
  }

  const field = (name: FieldName, label: string) => (
    <Field
      name={name}
      label={label}
      value={values[name]}
      error={touched[name] && values[name] === "" ? MISSING[name] : undefined}
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
        {message}
      </p>
      {field("email", "E-mail")}
      {field("password", "Password")}
      <button type="submit" class="button primary" aria-disabled={isBusy || wait > 0}>
        {wait > 0 ? `Wait ${formatWait(wait)}` : isBusy ? "Signing in…" : "Sign in"}
      </button>
    </form>
  )
}
