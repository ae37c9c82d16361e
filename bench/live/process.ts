import * as Effect from "effect/Effect"
import { type ChildProcess, fork } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Command, Report } from "./viewers.ts"

/** Of /proc/<pid>/stat: the kernel's clock ticks, 100 a second on every Linux that Node runs on. */
const TICK_MICROS = 10_000

/** Processor time of a process so far, user and system, in microseconds: fields 14 and 15 of proc(5). */
export const cpuMicros = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS
}

/** Memory of a process that is in RAM. */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024

/** Open files and sockets of a process. */
export const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

export const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** A process of viewers. */
export interface Viewers {
  readonly pid: number
  /** Opens sockets, waits for the first board on each, gives the time that took in ms. */
  readonly open: (command: Omit<Extract<Command, { readonly _tag: "Open" }>, "_tag">) => Promise<number>
  readonly reset: () => Promise<void>
  readonly report: () => Promise<Extract<Report, { readonly _tag: "Report" }>>
  readonly behind: (topScore: number) => Promise<Extract<Report, { readonly _tag: "Behind" }>>
}

const ask = <T extends Report["_tag"]>(child: ChildProcess, command: Command, tag: T) =>
  new Promise<Extract<Report, { readonly _tag: T }>>((resolve, reject) => {
    const onExit = () => reject(new Error("A process of viewers has ended"))
    const isAnswer = (report: Report): report is Extract<Report, { readonly _tag: T }> => report._tag === tag
    child.once("exit", onExit)
    child.once("message", (report: Report) => {
      child.off("exit", onExit)
      if (isAnswer(report)) resolve(report)
      else reject(new Error(`A process of viewers answered ${report._tag} to ${command._tag}`))
    })
    child.send(command)
  })

const viewersIn = (how: { readonly execPath: string; readonly execArgv: Array<string> }) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => fork(join(import.meta.dirname, "viewers.ts"), { stdio: "inherit", ...how })),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        }),
    ),
    (child): Viewers => ({
      pid: child.pid ?? -1,
      open: async (command) => (await ask(child, { _tag: "Open", ...command }, "Opened")).millis,
      reset: async () => void (await ask(child, { _tag: "Reset" }, "Reset")),
      report: () => ask(child, { _tag: "Report" }, "Report"),
      behind: (topScore) => ask(child, { _tag: "Behind", topScore }, "Behind"),
    }),
  )

/** Starts a process of viewers; it ends with the scope, and its sockets with it. */
export const startViewers = viewersIn({ execPath: process.execPath, execArgv: [] })

/** The same in a network namespace of its own, which has nothing but a loopback that is down. Needs root. */
export const startSeparateViewers = viewersIn({ execPath: "unshare", execArgv: ["--net", process.execPath] })
