import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ApiServer } from "../http/ApiServer.ts"
import { DEMO_USERS } from "./DemoUsers.ts"

/** Prints the address of the board and the accounts that can sign in. */
export const Greeting = Layer.effectDiscard(
  Effect.gen(function* () {
    const { host, port } = yield* ApiServer
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`
    yield* Console.log(
      [
        "",
        `  Score board   ${url}`,
        `  API reference ${url}/docs`,
        `  Sign in as    ${DEMO_USERS.map(({ email }) => email).join(", ")}`,
        `  Password      ${[...new Set(DEMO_USERS.map(({ password }) => password))].join(", ")}`,
        "",
        "  Ctrl-C stops it; scores are stored in .data",
        "",
      ].join("\n"),
    )
  }),
)
