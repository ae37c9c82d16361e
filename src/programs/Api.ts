import * as Layer from "effect/Layer"
import { Listener } from "../services/Listener/Listener.ts"
import { SocketHub } from "../services/SocketHub/SocketHub.ts"
import { apiConfig, ApiServer } from "./ApiServer.ts"
import { Board } from "./Board.ts"
import { ApiHealth } from "./Dependencies.ts"
import { Increment } from "./Increment.ts"
import { Limits } from "./Limits.ts"
import { Management, managementConfig } from "./Management.ts"
import { originsConfig } from "./Origins.ts"
import { Outbox } from "./Outbox.ts"
import { ScoresSocket, scoresSocketConfig } from "./ScoresSocket.ts"

/**
 * The API, on the services it is given: from the port down. Stopped from the top: the port drains while everything
 * below it still works, health and metrics are there until it has, the dependencies' clients close last.
 */
export const Api = (defaultHost: string) =>
  ApiServer.layer(defaultHost).pipe(
    Layer.provide(Management(defaultHost)),
    Layer.provide(ApiHealth),
    Layer.provide([Increment.layer, ScoresSocket, Limits.layer]),
    Layer.provide(Outbox.layer),
    Layer.provide(Board.layer),
  )

/** The settings of the API, besides those of the dependencies it is given. */
export const apiSettings = (defaultHost: string) => [
  apiConfig(defaultHost),
  managementConfig(defaultHost),
  Listener.config,
  SocketHub.config,
  Board.config,
  Limits.config,
  originsConfig,
  scoresSocketConfig,
]
