import { spawn } from "node:child_process"
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, statfsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"

/** Where Linux keeps files in memory; other systems have no such folder. */
const MEMORY = "/dev/shm"

/** The room that must be left there, in bytes: a few clusters of 60 MB, each with up to 256 MB of log. */
const ROOM_BYTES = 1024 ** 3

/** The variable that tells the workers of a test run which folder is the run's. */
const RUN_FOLDER = "SCOREBOARD_RUN_FOLDER"

const REMOVAL = { recursive: true, force: true, maxRetries: 5 } as const

/** The folder in memory when there is one with room, else that of temporary files. */
const parent = () => {
  try {
    accessSync(MEMORY, constants.W_OK)
    const { bavail, bsize } = statfsSync(MEMORY)
    return bavail * bsize >= ROOM_BYTES ? MEMORY : tmpdir()
  } catch {
    return tmpdir()
  }
}

/**
 * A shell that waits for the end of its input, which is the end of this process, however it comes, and then removes
 * the folder: after a moment, and again, because the engines of a run that is cut short have to end first.
 */
const removeAtEnd = (folder: string) => {
  const script = 'read -r _; for n in 1 2 3; do sleep 2; rm -rf "$0"; done'
  // Detached: a terminal's Ctrl-C must not reach it.
  const shell = spawn("/bin/sh", ["-c", script, folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  })
  shell.unref()
  return shell
}

/**
 * A global setup of vitest: makes the folder of the run and gives what removes it, with all that workers which were
 * cut short left in it.
 */
export const setup = () => {
  const folder = mkdtempSync(join(parent(), "scoreboard-run-"))
  // A server that root starts runs as another user, who must pass through to its own folder, and see nothing else.
  chmodSync(folder, 0o711)
  const shell = removeAtEnd(folder)
  process.env[RUN_FOLDER] = folder
  return () => {
    rmSync(folder, REMOVAL)
    shell.kill()
  }
}

/** The folder of this test run, which is the same in all of its workers; undefined outside of a run. */
export const runFolder = () => process.env[RUN_FOLDER]

/**
 * An empty folder for the files of an engine that nobody needs after a power failure: its own user's only (mode
 * 0700), gone with its scope. In a test run on a machine that has room it is in memory: a cluster is a thousand
 * files, and some file systems take a second to make them.
 */
export const engineFolder = (prefix: string) =>
  Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(runFolder() ?? tmpdir(), prefix))),
    (path) => Effect.promise(() => rm(path, REMOVAL)),
  )
