import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync, readFileSync, readlinkSync } from "node:fs"
import { promisify } from "node:util"
import { pause, startSeparateViewers, startViewers, type Viewers } from "./process.ts"

const run = promisify(execFile)

/** Set in a process that runs in a network of its own. */
const MARK = "SOAK_PRIVATE_NETWORK"

const has = (command: string) =>
  (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(`${folder}/${command}`))

/**
 * Starts this process anew in a network namespace of its own, once: all addresses, links and packets of the bench
 * stay in there and end with it. Does nothing, and gives false, without root, `unshare`, `nsenter` or `ip`.
 */
export const enterPrivateNetwork = async (): Promise<boolean> => {
  if (process.env[MARK] !== undefined) {
    await run("ip", ["link", "set", "lo", "up"])
    return true
  }
  if (process.getuid?.() !== 0 || !["unshare", "nsenter", "ip"].every(has)) return false
  process.execve?.("/usr/bin/env", ["env", "unshare", "--net", process.execPath, ...process.argv.slice(1)], {
    ...process.env,
    [MARK]: "1",
  })
  return false
}

/** Viewers whose connection to the server can be lost. */
export interface Seat {
  readonly viewers: Viewers
  /** Where they reach the server, and where they come from. */
  readonly host: string
  readonly address: string
  /** From now on the server hears nothing of them: no data, no acknowledgement, no end. */
  readonly vanish: () => Promise<void>
}

/** A receive buffer of the least size (bytes), so that who does not read is soon full, as over a real network. */
const SMALL_BUFFER = "4096 4096 4096"

let seats = 0

/** In a namespace of its own, at the other end of a cable: /30 networks of 10.64.0.0/10. */
const separateSeat = Effect.gen(function* () {
  const viewers = yield* startSeparateViewers
  const n = seats++
  const network = `10.${64 + (n >> 8)}.${n & 0xff}`
  const link = `seat${n}`
  const within = (script: string) =>
    run("nsenter", ["--target", String(viewers.pid), "--net", "sh", "-ec", script])
  yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const own = readlinkSync("/proc/self/ns/net")
      while (readlinkSync(`/proc/${viewers.pid}/ns/net`) === own) await pause(5)
      await run("ip", [
        "link",
        "add",
        link,
        "type",
        "veth",
        "peer",
        "name",
        "cable",
        "netns",
        String(viewers.pid),
      ])
      await run("ip", ["address", "add", `${network}.1/30`, "dev", link])
      await run("ip", ["link", "set", link, "up"])
      await within(
        `echo ${SMALL_BUFFER} > /proc/sys/net/ipv4/tcp_rmem; ip address add ${network}.2/30 dev cable; ip link set cable up`,
      )
    }),
    () => Effect.promise(() => run("ip", ["link", "delete", link])),
  )
  const seat: Seat = {
    viewers,
    host: `${network}.1`,
    address: `${network}.2`,
    vanish: async () => void (await within("ip link set cable down")),
  }
  return seat
})

/** On loopback: who vanishes is a stopped process, whose kernel still acknowledges until its buffer is full. */
const loopbackSeat = Effect.gen(function* () {
  const viewers = yield* startViewers
  const n = seats++
  const seat: Seat = {
    viewers,
    host: "127.0.0.1",
    address: `127.${64 + (n >> 8)}.${n & 0xff}.2`,
    vanish: async () => void process.kill(viewers.pid, "SIGSTOP"),
  }
  return seat
})

/** A process of viewers at an address of its own; it ends with the scope, and its address with it. */
export const takeSeat = (isPrivate: boolean) => (isPrivate ? separateSeat : loopbackSeat)

/** A connection of the server, as its kernel sees it, whatever the peer thinks. */
export interface Connection {
  /** The peer's (IPv4). */
  readonly address: string
  /** `closing`: no process has it any more, the kernel still does. */
  readonly state: "open" | "closing"
  /** Written and not yet acknowledged. */
  readonly unsentBytes: number
}

/** States of /proc/net/tcp: established; FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING. Not TIME_WAIT, which is empty. */
const STATES: Readonly<Record<string, Connection["state"]>> = {
  "01": "open",
  "04": "closing",
  "05": "closing",
  "09": "closing",
  "0B": "closing",
}

/** All connections of the server that listens on a port. */
export const connectionsOf = (port: number): ReadonlyArray<Connection> => {
  const own = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, local, remote, code = "", queues = ""] = line.trim().split(/\s+/)
      const state = STATES[code]
      if (local?.endsWith(own) !== true || remote === undefined || state === undefined) return []
      const address = Buffer.from(remote.slice(0, 8), "hex").toReversed().join(".")
      return [{ address, state, unsentBytes: Number.parseInt(queues.slice(0, 8), 16) }]
    })
}
