import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlFailure } from "./Sql.ts"
import { openPasswordFile, type PasswordFile } from "./SqlPasswordFile.ts"

/** What the driver does something with, and we do not replace by something of our own. */
const PARAMETERS = ["host", "port", "user", "password", "dbname", "options", "sslmode"]

/** `prefer` and `allow` go on without TLS if the server has none; the others check its certificate, and so do these. */
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const
const isSslMode: (mode: string) => boolean = Schema.is(Schema.Literals(SSL_MODES))

/** What is wrong with a connection string, without any of its values: they may be secret. */
const problemOf = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (!/^postgres(ql)?:$/.test(url?.protocol ?? "")) {
    return "expected postgres[ql]://[user[:password]@]host[:port]/database"
  }
  const unknown = [...(url?.searchParams.keys() ?? [])].filter((name) => !PARAMETERS.includes(name))
  if (unknown.length > 0) {
    return `unknown: ${unknown.join(", ")}; parameters may be ${PARAMETERS.join(", ")}`
  }
  const modes = url?.searchParams.getAll("sslmode") ?? []
  return modes.every(isSslMode) ? undefined : `sslmode may be ${SSL_MODES.join(", ")}`
}

const PostgresUrl = Schema.String.check(Schema.makeFilter((text) => problemOf(text) ?? true))

/** A value that may not be there, whatever it is. */
const forbidden = (problem: string) => Schema.String.check(Schema.makeFilter(() => problem))
const BesideUrl = forbidden("DATABASE_URL is set, too: keep one of them")
const BesidePassword = forbidden("DATABASE_PASSWORD is set, too: keep one of them")

/** The variables that `DATABASE_URL` replaces: with it, none of them may be set. */
const besideUrl = Config.all([
  Config.option(Config.schema(BesideUrl, "DATABASE_HOST")),
  Config.option(Config.schema(BesideUrl, "DATABASE_PORT")),
  Config.option(Config.schema(BesideUrl, "DATABASE_USER")),
  Config.option(Config.schema(BesideUrl, "DATABASE_NAME")),
  Config.option(Config.schema(BesideUrl, "DATABASE_SSLMODE")),
  Config.option(Config.schema(BesideUrl, "DATABASE_PASSWORD")),
  Config.option(Config.schema(BesideUrl, "DATABASE_PASSWORD_FILE")),
])

const url = Config.schema(Schema.Redacted(PostgresUrl), "DATABASE_URL")

/** Whether `DATABASE_HOST` and its like say where the database is. */
const isApart = Config.map(
  Config.all([Config.option(Config.String("DATABASE_URL")), Config.option(Config.String("DATABASE_HOST"))]),
  ([whole, host]) => Option.isNone(whole) && Option.isSome(host),
)

const password = Config.option(Config.Redacted("DATABASE_PASSWORD"))

const apart = {
  host: Config.NonEmptyString("DATABASE_HOST"),
  port: Config.Port("DATABASE_PORT").pipe(Config.withDefault(5432)),
  user: Config.NonEmptyString("DATABASE_USER"),
  name: Config.NonEmptyString("DATABASE_NAME"),
  sslMode: Config.schema(Schema.Literals(SSL_MODES), "DATABASE_SSLMODE").pipe(Config.withDefault("disable")),
  password,
  passwordFile: Config.flatMap(password, (text) =>
    Config.option(
      Option.isSome(text)
        ? Config.schema(BesidePassword, "DATABASE_PASSWORD_FILE")
        : Config.NonEmptyString("DATABASE_PASSWORD_FILE"),
    ),
  ),
}

/** What the variables say: where the database is, and the file of the password, if there is one. */
interface Place {
  readonly url: Redacted.Redacted
  readonly passwordFile: Option.Option<string>
  /** The variable to look at when the database cannot be used. */
  readonly variable: "DATABASE_URL" | "DATABASE_HOST"
}

const placeOfUrl = Config.map(Config.all([url, besideUrl]), ([whole]): Place => ({
  url: whole,
  passwordFile: Option.none(),
  variable: "DATABASE_URL",
}))

/** As a connection string, whose parameters may contain any character. */
const placeOfParts = Config.map(Config.all(apart), (parts): Place => {
  const parameters = new URLSearchParams({
    host: parts.host,
    port: String(parts.port),
    user: parts.user,
    dbname: parts.name,
    sslmode: parts.sslMode,
    ...(Option.isSome(parts.password) ? { password: Redacted.value(parts.password.value) } : {}),
  })
  return {
    url: Redacted.make(`postgres:///?${parameters.toString()}`),
    passwordFile: parts.passwordFile,
    variable: "DATABASE_HOST",
  }
})

/** A part of `apart` that is read only if the settings come apart. */
const ifApart = <A>(part: Config.Config<A>): Config.Config<A | undefined> =>
  Config.flatMap(isApart, (is): Config.Config<A | undefined> => (is ? part : Config.succeed(undefined)))

/**
 * Where the primary of a PostgreSQL 15 or later is: `DATABASE_URL`, or else `DATABASE_HOST` and its like. `place` is the
 * whole; the rest lets a start name every mistake.
 */
export const config = {
  place: Config.flatMap(isApart, (is) => (is ? placeOfParts : placeOfUrl)),
  port: ifApart(apart.port),
  user: ifApart(apart.user),
  name: ifApart(apart.name),
  sslMode: ifApart(apart.sslMode),
  passwordFile: ifApart(apart.passwordFile),
}

/** Where the database is, for every connection. */
export interface Address {
  readonly url: Redacted.Redacted
  /** Absent = the password, if there is one, is part of `url`. */
  readonly passwordFile?: PasswordFile
  readonly variable: Place["variable"]
}

/** A database whose connection string is known. */
export const atUrl = (whole: Redacted.Redacted): Address => ({ url: whole, variable: "DATABASE_URL" })

/** The driver's settings of a database. The password is read for each connection. */
export const toDriver = ({ url: whole, passwordFile }: Address) => ({
  url: whole,
  ...(passwordFile === undefined ? {} : { password: passwordFile.read }),
})

/** A failure at the start, before anything is served: the line that says so names the variable. */
export const startFailure = (
  operation: SqlFailure["operation"],
  { variable }: Pick<Address, "variable">,
  cause: unknown,
): SqlFailure => new SqlFailure({ operation, cause, ...(variable === "DATABASE_URL" ? {} : { variable }) })

/** Reads where the database is. Fails if the file of the password cannot be read. */
export const address = Effect.gen(function* () {
  const { passwordFile, ...place } = yield* config.place
  if (Option.isNone(passwordFile)) return place
  const opened = yield* Effect.mapError(openPasswordFile(passwordFile.value), (cause) =>
    startFailure("ping", place, cause),
  )
  return { ...place, passwordFile: opened }
}) satisfies Effect.Effect<Address, unknown>
