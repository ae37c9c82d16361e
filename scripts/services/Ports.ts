import { createServer } from "node:net"
import * as Effect from "effect/Effect"
import { ServicesFailure } from "./Failure.ts"

/** A port that a service is to listen on, and the option that chooses another. */
export interface Wanted {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** Listens on a port until the scope closes. */
const take = ({ name, host, port }: Wanted) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>, ServicesFailure>((resume) => {
      const server = createServer()
      server.once("error", (error) =>
        resume(
          Effect.fail(
            new ServicesFailure({
              message: `Port ${port} of ${host} cannot be used for ${name} (${error.message}): end what has it, or choose another with --${name}-port`,
            }),
          ),
        ),
      )
      server.listen(port, host, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))),
  )

/** Fails if one of the ports is taken, also by another of them. A service that starts in vain would say it less clearly. */
export const ensureFree = (wanted: ReadonlyArray<Wanted>) =>
  Effect.scoped(Effect.forEach(wanted, take, { discard: true }))
