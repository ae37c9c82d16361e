import * as Layer from "effect/Layer"
import { Listener } from "../../services/Listener/Listener.ts"
import { Board } from "../board/Board.ts"
import { WorkerHealth } from "../observe/ProcessHealth.ts"
import { Management, managementConfig } from "./Management.ts"
import { Outbox } from "../increment/Outbox.ts"
import { Pruning } from "../upkeep/Pruning.ts"
import { Refresher } from "../board/Refresher.ts"
import { RevocationSweep } from "../upkeep/RevocationSweep.ts"
import { SnapshotWatch } from "../upkeep/SnapshotWatch.ts"
import { Worker } from "../board/Worker.ts"

/** The worker's programs: read the queue, refresh the board, send what is left in the outbox, and the upkeep. */
export const WorkerPrograms = Layer.mergeAll(
  Worker,
  Layer.effectDiscard(Outbox),
  RevocationSweep,
  Pruning,
  SnapshotWatch,
).pipe(Layer.provide(Refresher.layer), Layer.provide(Outbox.layer), Layer.provide(Board.layer))

/** The worker as a process of its own, with its health and metrics. */
export const WorkerProcess = (defaultHost: string) =>
  WorkerPrograms.pipe(Layer.provide(Management(defaultHost)), Layer.provide(WorkerHealth))

/** The settings of the worker, without those of the dependencies that its main chooses. */
export const workerSettings = (defaultHost: string) => [managementConfig(defaultHost), Listener.config]
