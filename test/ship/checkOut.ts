import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { copyFile, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises"
import { tmpdir, userInfo } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { promisify } from "node:util"
import { EngineFailure } from "../support/engines/ChildProcess.ts"
import { ROOT } from "../support/engines/embeddedPostgres.ts"
import { temporaryFolder } from "../support/fixtures.ts"
import type { Release } from "../support/releases.ts"

const run = promisify(execFile)

/** What npm reads to install. */
const MANIFESTS = ["package.json", "package-lock.json", ".npmrc"]

/** An install that downloads everything, on a slow line. */
const INSTALL_LIMIT_MILLIS = 400_000

const decodeManifest = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ version: Schema.String })),
)

const failure = (message: string) => new EngineFailure({ message })

/** Fails with the command that fetches the release's commit if the repository does not have it. */
const find = Effect.fnUntraced(function* (repository: string, { version, commit }: Release) {
  const git = (...args: ReadonlyArray<string>) =>
    Effect.tryPromise(() => run("git", ["-C", repository, ...args]))
  if ((yield* Effect.exit(git("cat-file", "-e", `${commit}^{commit}`)))._tag === "Success") return
  const answer = yield* Effect.mapError(git("rev-parse", "--is-shallow-repository"), (error) =>
    failure(`The upgrade test needs a git repository: ${String(error.cause)}`),
  )
  const command = answer.stdout.startsWith("true") ? "git fetch --unshallow" : `git fetch origin ${commit}`
  return yield* failure(
    `This clone does not have release ${version}, which the test runs. Get it: ${command}`,
  )
})

/**
 * The user's own folder for packages of releases, which outlives the run. Other users cannot put code into it: a folder
 * of this name that is not ours, or that others may write to, is refused.
 */
const cacheFolder = async () => {
  const path = join(tmpdir(), `scoreboard-releases-${userInfo().uid}`)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const { mode, uid } = await lstat(path)
  if (uid !== userInfo().uid || (mode & 0o077) !== 0)
    throw new Error(`${path} is open to other users: delete it`)
  return path
}

/** Installs the packages that run in production; without the tools, as an image does. */
const install = async (folder: string) => {
  const args = ["ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
  // npm itself has to run under the Node that runs this, or it picks other releases.
  const PATH = [dirname(process.execPath), process.env["PATH"]].join(delimiter)
  await run("npm", args, { cwd: folder, env: { ...process.env, PATH }, timeout: INSTALL_LIMIT_MILLIS })
}

/** The packages of a release by its own lock file: installed once for each lock file. */
const modulesOf = async (source: string) => {
  const cache = await cacheFolder()
  const lock = await readFile(join(source, "package-lock.json"))
  const kept = join(cache, createHash("sha256").update(lock).digest("hex"))
  if (!existsSync(kept)) {
    const making = await mkdtemp(join(cache, "making-"))
    try {
      for (const name of MANIFESTS) await copyFile(join(source, name), join(making, name))
      await install(making)
      // Another run may have been quicker; two that are made at once are as good as one.
      await rename(making, kept).catch((error: unknown) => {
        if (!existsSync(kept)) throw error
      })
    } finally {
      await rm(making, { recursive: true, force: true, maxRetries: 5 })
    }
  }
  return join(kept, "node_modules")
}

/**
 * Puts the files of a release, with the packages of its own lock file, into a folder that is gone with the scope. Fails
 * with what to do if the repository lacks the release's commit.
 */
export const checkOut = Effect.fnUntraced(function* (release: Release, repository: string = ROOT) {
  yield* find(repository, release)
  const folder = yield* temporaryFolder
  const source = join(folder, "source")
  yield* Effect.tryPromise({
    try: async () => {
      const archive = join(folder, "source.tar")
      await mkdir(source)
      await run("git", ["-C", repository, "archive", `--output=${archive}`, release.commit])
      await run("tar", ["-x", "-f", archive, "-C", source])
      const { version } = decodeManifest(await readFile(join(source, "package.json"), "utf8"))
      if (version !== release.version) throw new Error(`its commit is of version ${version}`)
      await symlink(await modulesOf(source), join(source, "node_modules"))
    },
    catch: (error) => failure(`Release ${release.version} could not be installed: ${String(error)}`),
  })
  return source
})
