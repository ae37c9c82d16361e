import * as Effect from "effect/Effect"
import { chmod } from "node:fs/promises"
import { freePort } from "../../support/engines/freePort.ts"
import { request, temporaryFolder, until } from "../../support/fixtures.ts"
import { services } from "./compose.ts"
import type { Environment, Image, Runner } from "./containers.ts"

/** What compose.yaml calls the emulators' host. */
const HOST = "emulators"

/** The ports that compose.yaml expects: of the queue, of the user pool, and of their health. */
const portsOf = (texts: ReadonlyArray<string | undefined>) =>
  texts.map((text) => /:(\d{4,5})\b/.exec(text ?? "")?.[1] ?? "none")

/**
 * Starts the emulators with the command of compose.yaml, on loopback and on free ports. Gives the settings that they
 * print, and those that compose.yaml gives the API, moved to the same host and ports.
 */
export const startEmulators = Effect.fnUntraced(function* (runner: Runner, image: Image) {
  const { environment = {} } = services.api
  const usual = portsOf([
    environment["AWS_ENDPOINT_URL_SQS"],
    environment["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"],
    services.emulators.healthcheck.test?.at(-1),
  ])
  const free = yield* Effect.all([freePort, freePort, freePort])
  const moved = (text: string) =>
    usual.reduce((all, port, at) => all.replace(`${HOST}:${port}`, `127.0.0.1:${free[at]}`), text)

  const data = yield* temporaryFolder
  // The container's user has a number that nobody has here.
  yield* Effect.promise(() => chmod(data, 0o777))
  const command = (services.emulators.command ?? []).map((word) =>
    word === HOST || word === "0.0.0.0" ? "127.0.0.1" : word,
  )
  const ports = ["sqs", "cognito", "health"].flatMap((name, at) => [`--${name}-port`, String(free[at])])
  const container = yield* runner.start(image, {
    args: [...command, ...ports],
    volumes: [`${data}:/data`],
    // The last of the settings, in their order.
    readyWhen: /^COGNITO_JWKS_URI=/,
  })
  yield* until(
    "the emulators are healthy",
    request(`http://127.0.0.1:${free[2]}/`),
    ({ status }) => status === 200,
  )
  const settings = container.lines().flatMap((line) => {
    const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  })
  const printed: Environment = Object.fromEntries(settings)
  const composed: Environment = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, moved(value)]),
  )
  return { container, health: `http://127.0.0.1:${free[2]}`, usual, printed, composed }
})
