import * as Effect from "effect/Effect"
import { createServer } from "node:net"
import { listen } from "./listen.ts"

/**
 * A TCP port that was free on 127.0.0.1 a moment ago, for a process that cannot pick its own. The kernel hands
 * out such ports in turn, so another process is unlikely to take this one before it is used.
 */
export const freePort: Effect.Effect<number> = Effect.scoped(Effect.suspend(() => listen(createServer())))
