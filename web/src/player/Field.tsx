export type FieldName = "email" | "password"

/** Not `type="email"`, because browsers change what is typed there. The form only removes spaces around the address. */
const EMAIL = {
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

export const Field = ({ name, label, value, error, onInput, onBlur }: FieldProps) => {
  const id = `sign-in-${name}`
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        {...(name === "password" ? PASSWORD : EMAIL)}
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
