import { backoffMs } from "./Backoff.ts"

/** A tab that is hidden for less than this keeps its connection, so a short look at another tab costs nothing. */
const HIDDEN_GRACE_MS = 10_000

/**
 * A connection that lasted less than this, or brought only older boards, counts as a failed attempt. The backoff then
 * continues to grow, which protects servers that drop every connection or are all behind.
 */
const STABLE_MS = 5_000

/**
 * When a poll brings a current board again after a miss or a stale one, the next dial is within this time instead of after
 * the long backoff. The edge finds the server within 0.5 s, so a viewer is live within 1 s of its return.
 * Without an edge, each viewer's poll finds the server after a random backoff of its own, and that spreads the dials.
 */
const RECOVERY_SPREAD_MS = 300

/** Whether `GET /scores` is polled, and the result of the last poll; `stale` = a cache answered for a server that is away. */
type Polling = "off" | "asked" | "answered" | "stale" | "missed"

/** The socket is opening, or open but has not brought a board yet. */
interface Dialing {
  readonly kind: "dialing"
  readonly polling: Polling
  /** A poll brought a current board again since the dial, which may have been too early. */
  readonly isEarly?: true
}

/** The socket brings boards, so nothing is polled. */
interface Live {
  readonly kind: "live"
  /** When its first board arrived, in ms since 1970. */
  readonly since: number
  /** Whether it has brought a board that was not older than the one on show. */
  readonly hasNews: boolean
}

/** There is no socket until the next dial at `redialAt`, in ms since 1970. */
interface Waiting {
  readonly kind: "waiting"
  readonly polling: Polling
  readonly redialAt: number
}

interface Running {
  readonly kind: "running"
  readonly link: Dialing | Live | Waiting
  /** Attempts in a row that brought no stable connection. */
  readonly failures: number
  /** Whether any attempt failed or any connection was lost since the client was created. */
  readonly hasFailed: boolean
  /** When a hidden tab is to pause, in ms since 1970. `false` while the tab is visible. */
  readonly pauseAt: number | false
  /** Whether the device reports a network. Only a hint: some devices report none while the server answers. */
  readonly isOnline: boolean
}

/** Nothing runs, because the tab is hidden. */
interface Paused {
  readonly kind: "paused"
  readonly hasFailed: boolean
}

export type OpenState = Running | Paused
export type ConnectionState = OpenState | { readonly kind: "closed" }

/** The state before the first `page` event. */
export const UNSTARTED: ConnectionState = { kind: "paused", hasFailed: false }

/** The client was created, or the tab was shown or hidden, or the network came or went. */
export interface PageEvent {
  readonly kind: "page"
  readonly isOnline: boolean
  /** Whether the tab is hidden and the client should pause. */
  readonly isHidden: boolean
  /** If this event starts the first dial: whether to poll as well. */
  readonly polls: boolean
}

export type ConnectionEvent =
  | PageEvent
  /** The socket brought a board. `isNews` is false when that board is older than the one on show. */
  | { readonly kind: "board"; readonly isNews: boolean }
  | { readonly kind: "socketEnded" | "redialDue" | "pauseDue" | "closed" }
  | { readonly kind: "pollAnswered" | "pollStale" | "pollMissed" }

/** When an event happens, in ms since 1970, and a random number for it: uniform, 0 inclusive to 1 exclusive. */
export interface Moment {
  readonly now: number
  readonly chance: number
}

/**
 * The device reports that its network is gone or back. If it is gone, a socket may never learn that it is dead, so it is
 * dropped. Either way, an attempt at once shows what is true.
 */
const onNetworkReport = (state: Running, isOnline: boolean, now: number): Running => {
  if (!isOnline) {
    const link = { kind: "waiting", polling: "asked", redialAt: now } as const
    return { ...state, isOnline, link, failures: 0, hasFailed: true }
  }
  if (state.link.kind === "live") return { ...state, isOnline }
  return { ...state, isOnline, link: { kind: "dialing", polling: "asked" }, failures: 0 }
}

const onPage = (state: OpenState, page: PageEvent, now: number): OpenState => {
  const { isOnline, isHidden } = page
  if (state.kind === "paused") {
    if (isHidden) return state
    const link = { kind: "dialing", polling: page.polls ? "asked" : "off" } as const
    return { kind: "running", link, failures: 0, hasFailed: state.hasFailed, pauseAt: false, isOnline }
  }
  const next = isOnline === state.isOnline ? state : onNetworkReport(state, isOnline, now)
  return { ...next, pauseAt: isHidden ? now + HIDDEN_GRACE_MS : false }
}

const onSocketEnd = (state: Running, link: Dialing | Live, { now, chance }: Moment): Running => {
  const isLive = link.kind === "live"
  const wasStable = isLive && link.hasNews && now - link.since >= STABLE_MS
  const failures = wasStable ? 0 : state.failures
  const isEarly = link.kind === "dialing" && link.isEarly === true
  const redialAt = now + (isEarly ? RECOVERY_SPREAD_MS * chance : backoffMs(failures, () => chance))
  // A lost connection is usually back within a second. Polling starts only when an attempt fails.
  const polling = isLive ? "off" : link.polling === "off" ? "asked" : link.polling
  return {
    ...state,
    link: { kind: "waiting", polling, redialAt },
    failures: wasStable ? 0 : failures + 1,
    hasFailed: true,
  }
}

const onPollAnswer = (link: Dialing | Waiting, { now, chance }: Moment): Dialing | Waiting => {
  const isBack = link.polling === "missed" || link.polling === "stale"
  if (!isBack) return { ...link, polling: "answered" }
  return link.kind === "waiting"
    ? { kind: "waiting", polling: "answered", redialAt: now + RECOVERY_SPREAD_MS * chance }
    : { kind: "dialing", polling: "answered", isEarly: true }
}

/** The state after an event. An event that cannot happen in a state leaves the state as it is. */
export const transition = (
  state: ConnectionState,
  event: ConnectionEvent,
  moment: Moment,
): ConnectionState => {
  if (state.kind === "closed" || event.kind === "closed") return { kind: "closed" }
  if (event.kind === "page") return onPage(state, event, moment.now)
  if (state.kind !== "running") return state
  const { link } = state
  const isPolling = link.kind !== "live" && link.polling !== "off"
  switch (event.kind) {
    case "board":
      if (link.kind === "live") return { ...state, link: { ...link, hasNews: link.hasNews || event.isNews } }
      if (link.kind === "waiting") return state
      return { ...state, link: { kind: "live", since: moment.now, hasNews: event.isNews } }
    case "socketEnded":
      return link.kind === "waiting" ? state : onSocketEnd(state, link, moment)
    case "pollAnswered":
      return isPolling ? { ...state, link: onPollAnswer(link, moment) } : state
    case "pollMissed":
      return isPolling ? { ...state, link: { ...link, polling: "missed" } } : state
    case "pollStale":
      return isPolling ? { ...state, link: { ...link, polling: "stale" } } : state
    case "redialDue":
      if (link.kind !== "waiting") return state
      return { ...state, link: { kind: "dialing", polling: link.polling } }
    case "pauseDue":
      return state.pauseAt === false ? state : { kind: "paused", hasFailed: true }
  }
}

/**
 * - `connecting`: the first attempt is under way.
 * - `live`: the server pushes every change as it happens.
 * - `polling`: the socket is refused. `GET /scores` is polled every few seconds, and the socket is still tried.
 * - `reconnecting`: neither works right now, and both are tried. Also while a hidden tab is paused.
 * - `offline`: the device reports that it has no network, and the last poll was not answered. Both are tried.
 */
export type LiveState = "connecting" | "live" | "polling" | "reconnecting" | "offline"

/** What a viewer is told about the connection. */
export const liveStateOf = (state: OpenState): LiveState => {
  const link = state.kind === "running" && state.link
  if (link && link.kind === "live") return "live"
  const polling = link ? link.polling : "off"
  if (state.kind === "running" && !state.isOnline && polling === "missed") return "offline"
  if (!state.hasFailed) return "connecting"
  return polling === "answered" || polling === "stale" ? "polling" : "reconnecting"
}

/** What runs in a state: a socket, a poller, and two timers, each given by when it is due (ms since 1970). */
export interface Needs {
  readonly socket: boolean
  readonly poller: boolean
  readonly redialAt: number | false
  readonly pauseAt: number | false
}

const NOTHING: Needs = { socket: false, poller: false, redialAt: false, pauseAt: false }

export const needsOf = (state: ConnectionState): Needs => {
  if (state.kind !== "running") return NOTHING
  const { link, pauseAt } = state
  const isWaiting = link.kind === "waiting"
  return {
    socket: !isWaiting,
    poller: link.kind !== "live" && link.polling !== "off",
    redialAt: isWaiting && link.redialAt,
    pauseAt,
  }
}
