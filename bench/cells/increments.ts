import { type Figures, quantile } from "../figures.ts"
import { closedLoop, type Load, openLoop } from "../http.ts"
import type { System } from "../system.ts"

/** The nth increment of a run. */
export type IncrementRequest = (n: number) => string

/** Calls to SQS, by kind. */
const KINDS = ["Send", "Receive", "Delete"] as const

/** Drives one system, waits until its queue is empty, holds it to its answers, and gives the cost of an increment. */
export const measure = async (
  system: System,
  drive: () => Promise<Load>,
): Promise<{ readonly load: Load; readonly cost: Figures }> => {
  const [cpu, calls] = [system.cpu(), await system.calls()]
  const load = await drive()
  await system.drained()
  const after = system.cpu()
  const callsAfter = await system.calls()
  await system.reconcile(load)
  const each = (total: number) => total / load.accepted
  const callsOf = KINDS.map((kind) => (callsAfter[kind] ?? 0) - (calls[kind] ?? 0))
  return {
    load,
    cost: {
      "API CPU µs per increment": each(after.api - cpu.api),
      "worker CPU µs per increment": each(after.worker - cpu.worker),
      "SQS calls per increment": each(callsOf.reduce((sum, n) => sum + n, 0)),
      ...Object.fromEntries(KINDS.map((kind, n) => [`${kind} calls per increment`, each(callsOf[n] ?? 0)])),
      "refused share": load.failed / (load.accepted + load.failed),
    },
  }
}

/** As many as the system takes. */
export const throughput = async (
  system: System,
  connections: number,
  seconds: number,
  request: IncrementRequest,
): Promise<Figures> => {
  const { load, cost } = await measure(system, () =>
    closedLoop({ port: system.port, connections, seconds, request }),
  )
  return {
    "increments/s": load.accepted / load.seconds,
    "p50 ms": quantile(load.latencyMillis, 0.5),
    "p99 ms": quantile(load.latencyMillis, 0.99),
    ...cost,
  }
}

/** At a rate that both take. */
export const latency = async (
  system: System,
  ratePerSecond: number,
  seconds: number,
  request: IncrementRequest,
): Promise<Figures> => {
  const { load, cost } = await measure(system, () =>
    openLoop({ ports: system.ports, ratePerSecond, seconds, request }),
  )
  return {
    "p50 ms": quantile(load.latencyMillis, 0.5),
    "p99 ms": quantile(load.latencyMillis, 0.99),
    ...cost,
  }
}
