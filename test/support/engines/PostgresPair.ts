import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Reactivity from "effect/reactivity/Reactivity"
import { EmbeddedPostgres } from "../../../src/services/EmbeddedPostgres/EmbeddedPostgres.ts"
import { until } from "../fixtures.ts"
import { query as queryOn } from "./embeddedPostgres.ts"
import { freePort } from "./freePort.ts"
import { engineFolder } from "./runFolder.ts"
import * as TcpProxy from "./TcpProxy.ts"

/** What a copy of a running server must not have: the server makes them itself, or gets them from its primary. */
const NOT_COPIED = ["postmaster.pid", "postmaster.opts", "pg_wal", "pg_replslot", "standby.signal"]

/** No power failure is tested, but a kill is: what was acknowledged is in the files of the kernel. */
const SETTINGS = { fsync: "off", full_page_writes: "off" }

/** One of the two servers. It keeps its port and its folder whatever happens to it. */
export interface PostgresNode {
  readonly port: number
  /** Leads to this server, whoever is primary. */
  readonly url: Redacted.Redacted
  /** Starts it with its data, as what it was; without effect while it runs. */
  readonly start: Effect.Effect<void>
  /** Stops it, fast: connections are closed. Without effect while it does not run. */
  readonly stop: Effect.Effect<void>
  /** Makes the standby a primary on a new timeline; returns when it takes writes. */
  readonly promote: Effect.Effect<void>
  /** Ends it at once, without a word to its clients or to its standby. */
  readonly crash: Effect.Effect<void>
  /** The network from this server, as a standby, to its primary. Stalled, it is an unresponsive standby. */
  readonly link: TcpProxy.TcpProxy
  /** Throws its data away and begins again as a standby of the other server, with a fresh copy. */
  readonly rejoin: Effect.Effect<void>
  /** Returns when the other server follows this primary. */
  readonly replicates: Effect.Effect<void>
  /** From now on a commit on this primary waits until its standby has it, until `rejoin` throws its data away. */
  readonly synchronous: Effect.Effect<void>
  /** Runs one statement on a connection of its own, as the owner of the cluster. */
  query<Row extends object>(statement: string): Effect.Effect<ReadonlyArray<Row>>
}

/** Two servers of PostgreSQL 18 and the one address that clients know. */
export interface PostgresPair {
  /** Where clients connect: to the server that the address leads to at that moment. */
  readonly url: Redacted.Redacted
  /** The address: `retarget` moves it, and leaves open connections where they are. */
  readonly address: TcpProxy.TcpProxy
  /** The primary at first. */
  readonly first: PostgresNode
  /** Its standby at first. */
  readonly second: PostgresNode
  /** Returns when `second` has everything that `first` has committed so far. */
  readonly caughtUp: Effect.Effect<void>
}

/** Copies a running primary, as pg_basebackup does: npm's PostgreSQL does not bring that program. */
const copyOf = Effect.fnUntraced(
  function* (source: { dataDir: string; url: Redacted.Redacted }, to: string) {
    const sql = yield* PgClient.make({ url: source.url, maxConnections: 1 })
    // Both calls come from the same session: the pool has only one.
    yield* sql`select pg_backup_start('copy', true)::text`
    const from = join(source.dataDir, "cluster")
    yield* Effect.promise(async () => {
      await rm(to, { recursive: true, force: true, maxRetries: 5 })
      await mkdir(to, { recursive: true })
      await cp(join(source.dataDir, "password"), join(to, "password"))
      const cluster = join(to, "cluster")
      await mkdir(join(cluster, "pg_wal"), { recursive: true, mode: 0o700 })
      await mkdir(join(cluster, "pg_replslot"), { mode: 0o700 })
      const names = await readdir(from)
      for (const name of names.filter((one) => !NOT_COPIED.includes(one))) {
        await copyMoving(join(from, name), join(cluster, name))
      }
    })
    const [row] = yield* sql<{ labelfile: string }>`select labelfile from pg_backup_stop(false)`
    yield* Effect.promise(async () => {
      await writeFile(join(to, "cluster", "backup_label"), row?.labelfile ?? "")
      await writeFile(join(to, "cluster", "standby.signal"), "")
    })
  },
  Effect.scoped,
  Effect.provide(Reactivity.layer),
  Effect.orDie,
)

/** Files of a running server come and go while they are copied; its log tells the copy what it missed. */
const copyMoving = (from: string, to: string) =>
  cp(from, to, { recursive: true, force: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause
  })

interface NodeOptions {
  readonly dataDir: string
  readonly port: number
  /** The other server, that this one follows when it is a standby. */
  readonly other: { readonly dataDir: string; readonly port: number }
  /** Leads to the other server. */
  readonly link: TcpProxy.TcpProxy
}

const urlOn = (url: Redacted.Redacted, port: number) => {
  const moved = new URL(Redacted.value(url))
  moved.port = String(port)
  return Redacted.make(moved.href)
}

/** `login` = a URL of the cluster with its user and password; both servers have the same. */
const makeNode = Effect.fnUntraced(function* (options: NodeOptions, login: () => Redacted.Redacted) {
  const { link, other } = options
  let running: Scope.Closeable | undefined
  const here = () => urlOn(login(), options.port)
  const query = <Row extends object>(statement: string) =>
    Effect.orDie(Effect.suspend(() => queryOn<Row>(here(), statement)))

  const start = Effect.gen(function* () {
    if (running !== undefined) return
    const scope = yield* Scope.make()
    running = scope
    const { password } = new URL(Redacted.value(login()))
    yield* EmbeddedPostgres.start({
      dataDir: options.dataDir,
      port: options.port,
      settings: {
        ...SETTINGS,
        wal_keep_size: "256MB",
        primary_conninfo: `host=127.0.0.1 port=${link.port} user=scoreboard password=${password} application_name=standby`,
        // A standby that was away looks again at once, so that tests need not wait.
        wal_retrieve_retry_interval: "200ms",
      },
    }).pipe(Scope.provide(scope), Effect.orDie)
  })
  const stop = Effect.suspend(() => {
    const scope = running
    running = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  yield* Effect.addFinalizer(() => stop)

  const hasStandby = (condition: string) =>
    Effect.asVoid(
      until(
        `a standby that follows, with ${condition}`,
        query(`select from pg_stat_replication where state = 'streaming' and ${condition}`),
        (rows) => rows.length > 0,
      ),
    )

  const node: PostgresNode = {
    port: options.port,
    get url() {
      return here()
    },
    start,
    stop,
    link,
    query,
    replicates: hasStandby("true"),
    synchronous: Effect.gen(function* () {
      yield* query("alter system set synchronous_standby_names = 'standby'")
      yield* query("select pg_reload_conf()")
      yield* hasStandby("sync_state = 'sync'")
    }),
    promote: Effect.asVoid(query("select pg_promote(true, 60)")),
    crash: Effect.gen(function* () {
      const [row] = yield* query<{ pid: number }>(
        `select split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int as pid`,
      )
      if (row !== undefined) process.kill(row.pid, "SIGQUIT")
      yield* stop
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
    rejoin: Effect.gen(function* () {
      yield* stop
      yield* copyOf({ dataDir: other.dataDir, url: urlOn(login(), other.port) }, options.dataDir)
      yield* start
    }),
  }
  return node
})

/** Starts a primary and its standby, which follows it without a word of the primary's waiting for it. */
export const make = Effect.gen(function* () {
  const folders = [
    yield* engineFolder("scoreboard-first-"),
    yield* engineFolder("scoreboard-second-"),
  ] as const
  const ports = [yield* freePort, yield* freePort] as const
  const links = [yield* TcpProxy.make(ports[1]), yield* TcpProxy.make(ports[0])] as const
  let login: Redacted.Redacted = Redacted.make("postgresql://scoreboard@127.0.0.1/scoreboard")
  const at = (own: 0 | 1, other: 0 | 1) => ({
    dataDir: join(folders[own], "data"),
    port: ports[own],
    other: { dataDir: join(folders[other], "data"), port: ports[other] },
    link: links[own],
  })
  // The first start makes the cluster and its password.
  const { url } = yield* EmbeddedPostgres.start({ dataDir: at(0, 1).dataDir, settings: SETTINGS }).pipe(
    Effect.scoped,
  )
  login = url
  const first = yield* makeNode(at(0, 1), () => login)
  const second = yield* makeNode(at(1, 0), () => login)
  yield* first.start
  yield* second.rejoin
  const address = yield* TcpProxy.make(first.port)

  const caughtUp = Effect.gen(function* () {
    const [row] = yield* first.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn")
    yield* until(
      "the standby has caught up",
      second.query<{ has: boolean }>(
        `select coalesce(pg_last_wal_replay_lsn() >= '${row?.lsn}'::pg_lsn, false) as has`,
      ),
      ([answer]) => answer?.has === true,
    )
  })
  const pair: PostgresPair = {
    url: urlOn(login, address.port),
    address,
    first,
    second,
    caughtUp,
  }
  return pair
}).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
