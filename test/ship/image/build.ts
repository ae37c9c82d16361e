import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { chmod, cp, mkdir, writeFile } from "node:fs/promises"
import { delimiter, dirname, join } from "node:path"
import { EngineFailure } from "../../support/engines/ChildProcess.ts"
import { ROOT } from "../../support/engines/embeddedPostgres.ts"
import { temporaryFolder } from "../../support/fixtures.ts"
import type { Image } from "./containers.ts"
import { demand } from "./run.ts"

const STAND_IN = join(import.meta.dirname, "base-image")

/** What the Dockerfile is built from: its Node and its Debian. */
const base = () => {
  const named = /^ARG NODE_IMAGE=\S+:([\d.]+)-([a-z]+)-slim$/m.exec(
    readFileSync(join(ROOT, "Dockerfile"), "utf8"),
  )
  return { version: String(named?.[1]), suite: String(named?.[2]) }
}

/** Makes the stand-in for the base, unless an earlier run did, and gives its name. 30 s. */
const standIn = Effect.gen(function* () {
  const { version, suite } = base()
  if (process.version !== `v${version}`)
    return yield* new EngineFailure({
      message: `The Dockerfile has Node ${version}; run the tests with the one of npm ci`,
    })
  const recipe = createHash("sha256").update(readFileSync(STAND_IN)).digest("hex").slice(0, 8)
  const name = `localhost/scoreboard-ship-base:${version}-${suite}-${process.arch}-${recipe}`
  yield* demand(STAND_IN, [suite, process.execPath, name], { env: outside() })
  return name
})

/** The environment in which `npm` is this machine's own, beside its own Node, and not the one that npm installed. */
const outside = () => ({
  ...process.env,
  PATH: process.env["PATH"]
    ?.split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(delimiter),
})

const npmSetting = (name: string) =>
  Effect.map(demand("npm", ["config", "get", name], { env: outside() }), (value) =>
    value === "null" || value === "undefined" ? undefined : value,
  )

/**
 * How npm reaches its registry from this machine, for the npm of the build: settings, certificates and cache are mounted,
 * so that none of them gets into a layer.
 */
const npmMounts = Effect.gen(function* () {
  const [globalconfig, userconfig, cafile, cache] = yield* Effect.all(
    (["globalconfig", "userconfig", "cafile", "cache"] as const).map(npmSetting),
  )
  const authorities = cafile ?? process.env["NODE_EXTRA_CA_CERTS"]
  const settings = [globalconfig, userconfig]
    .filter((path) => path !== undefined && existsSync(path))
    .map((path) => readFileSync(String(path), "utf8"))
  const npmrc = join(yield* temporaryFolder, "npmrc")
  yield* Effect.promise(() =>
    writeFile(
      npmrc,
      [...settings, ...(authorities === undefined ? [] : [`cafile=${authorities}`]), ""].join("\n"),
      { mode: 0o600 },
    ),
  )
  if (cache !== undefined) yield* Effect.promise(() => mkdir(cache, { recursive: true }))
  return [
    `${npmrc}:/usr/local/etc/npmrc:ro`,
    ...(authorities === undefined ? [] : [`${authorities}:${authorities}:ro`]),
    ...(cache === undefined ? [] : [`${cache}:/root/.npm`]),
  ]
})

/** A copy of the checkout that only its owner may read, as under umask 077. */
const privateCheckout = Effect.gen(function* () {
  const copy = yield* temporaryFolder
  const listed = yield* demand("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
  })
  yield* Effect.promise(async () => {
    for (const path of listed.split("\0").filter((name) => name !== "" && existsSync(join(ROOT, name)))) {
      const target = join(copy, path)
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      await cp(join(ROOT, path), target, { preserveTimestamps: true })
      await chmod(target, 0o600)
    }
  })
  return copy
})

/** The labels that a release gives. */
export const BUILT = { version: "1.2.3-test", revision: "0123456789abcdef0123456789abcdef01234567" }

/** Prints how long a step took. */
const timed = <A, E, R>(name: string, step: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(step), ([duration, result]) => {
    console.info(`${name}: ${Duration.toSeconds(duration).toFixed(0)} s`)
    return result
  })

/**
 * Builds both images. Layers of an earlier build are used again; the first one takes minutes, most of it two installs by
 * npm. `buildah rmi --prune` frees those that no image uses any more.
 */
export const buildImages = Effect.gen(function* () {
  const baseName = yield* timed("the base", standIn)
  const mounts = yield* npmMounts
  const context = yield* privateCheckout
  const build = Effect.fnUntraced(function* (name: string, ...options: ReadonlyArray<string>) {
    const given = [`NODE_IMAGE=${baseName}`, `VERSION=${BUILT.version}`, `REVISION=${BUILT.revision}`]
    const how = ["--isolation=chroot", "--pull-never", "--layers", "--format=docker"]
    const inputs = [
      ...given.map((argument) => `--build-arg=${argument}`),
      ...mounts.map((mount) => `--volume=${mount}`),
    ]
    yield* timed(name, demand("buildah", ["bud", ...how, ...inputs, ...options, `--tag=${name}`, context]))
    return name
  })
  const product: Image = {
    name: yield* build("localhost/scoreboard-ship:product"),
    entrypoint: ["node"],
    command: ["src/main-api.ts"],
  }
  const development: Image = {
    name: yield* build("localhost/scoreboard-ship:development", "--target=development"),
    entrypoint: ["node", "scripts/services.ts"],
    command: [],
  }
  return { base: baseName, product, development }
}).pipe(Effect.scoped)
