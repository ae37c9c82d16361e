import { addressOf, addressText } from "./address.ts"

/** An e-mail address in two tones. */
export const EmailAddress = ({ email }: { readonly email: string }) => {
  const { local, domain } = addressOf(email)
  return (
    <span class="name" title={addressText(email)}>
      <bdi class="local">{local}</bdi>
      {domain !== undefined && (
        <span class="domain">
          @<bdi dir="ltr">{domain}</bdi>
        </span>
      )}
    </span>
  )
}
