import * as Layer from "effect/Layer"
import { Listener } from "../../services/Listener/Listener.ts"
import { gateConfig } from "../../services/Listener/ListenerGate.ts"
import { SocketHub } from "../../services/SocketHub/SocketHub.ts"
import { apiConfig, ApiServer } from "../http/ApiServer.ts"
import { BoundedReads } from "../http/BoundedReads.ts"
import { Board } from "../board/Board.ts"
import { ApiHealth } from "../observe/ProcessHealth.ts"
import { Increment } from "../increment/Increment.ts"
import { Limits } from "../http/Limits.ts"
import { Management, managementConfig } from "./Management.ts"
import { originsConfig } from "../http/Origins.ts"
import { signInConfig } from "../http/SignInEnd.ts"
import { Outbox } from "../increment/Outbox.ts"
import { ScoresSocket, scoresSocketConfig } from "../board/ScoresSocket.ts"

/**
 * The API, on the services it is given. The layers start from the bottom and stop from the top: the port drains while
 * everything below it still works, health and metrics are served until it has, and the clients of the dependencies close
 * last.
 */
export const ApiProcess = (defaultHost: string) =>
  ApiServer.layer(defaultHost).pipe(
    Layer.provide(Management(defaultHost)),
    Layer.provide(ApiHealth),
    Layer.provide([Increment.layer, ScoresSocket, Limits.layer, BoundedReads.layer]),
    Layer.provide(Outbox.layer),
    Layer.provide(Board.layer),
  )

/** The settings of the API, besides those of its dependencies. */
export const apiSettings = (defaultHost: string) => [
  apiConfig(defaultHost),
  managementConfig(defaultHost),
  Listener.config,
  gateConfig,
  SocketHub.config,
  Board.config,
  Limits.config,
  originsConfig,
  signInConfig,
  scoresSocketConfig,
]
