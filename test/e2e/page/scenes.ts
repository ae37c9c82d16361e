import type { Locator, Page, WebSocketRoute } from "playwright-core"
import type { OpenOptions } from "./fixtures.ts"

interface Score {
  readonly email: string
  readonly score: number
}

const NAMES = ["katherine", "grace", "ada", "linus", "barbara", "margaret", "dennis", "radia", "alan", "hedy"]

/** A plausible board of up to ten places, best first. */
export const boardOf = (places: number): ReadonlyArray<Score> =>
  NAMES.slice(0, places).map((name, place) => ({
    email: `${name}@example.com`,
    score: Math.round(12_480 * 0.79 ** place),
  }))

const LONG = "a.very.long.address.that.somebody.really.has.and.types.every.single.day"

/** A board with the longest addresses, some without a place to break the line, and the largest scores. */
const EXTREMES = boardOf(10).map(({ email }, place) => ({
  email:
    [email, `${LONG}@${LONG}.example.com`, `${"w".repeat(64)}@example.com`, "no-address", "شريف@مثال.com"][
      place % 5
    ] ?? "",
  score: Number.MAX_SAFE_INTEGER - place * 1_111_111_111_111,
}))

/** Sends the live board to the page instead of the server. The page and its headers still come from the server. */
export const serveBoard = (first: ReadonlyArray<Score>) => {
  const sockets = new Set<WebSocketRoute>()
  let scores = first
  let stamp: object = {}
  const frame = () => JSON.stringify({ scores, ...stamp })
  return {
    /** From now on, frames have this version. */
    stamp: (version: number) => {
      stamp = { epoch: "e", version }
    },
    arrange: async (page: Page) => {
      await page.route("**/scores", (route) => route.fulfill({ json: { scores } }))
      await page.routeWebSocket("**/scores/websocket?stamped", (socket) => {
        sockets.add(socket)
        socket.onClose(() => void sockets.delete(socket))
        socket.send(frame())
      })
    },
    show: (next: ReadonlyArray<Score>) => {
      scores = next
      for (const socket of sockets) socket.send(frame())
    },
    leader: () => scores[0]?.email ?? "",
  }
}

interface Standing {
  readonly score: number
  readonly rank: number | null
  readonly players: number
  readonly percentile: number | null
  readonly place?: number | null
  readonly epoch?: string
  readonly version?: number
}

/**
 * Signs in as this player. The test answers instead of the server, and counts increments. The score is answered when
 * `ready` has happened.
 */
export const actAs = async (
  page: Page,
  email: string,
  standing: Standing = { score: 9_859, rank: 2, players: 1_204_311, percentile: 0.0002 },
  ready: () => Promise<void> = () => Promise.resolve(),
): Promise<void> => {
  let { score } = standing
  await page.route("**/users/auth/login", (route) =>
    route.fulfill({ json: { accessToken: "access", refreshToken: "refresh" } }),
  )
  await page.route("**/scores/me", async (route) => {
    await ready()
    await route.fulfill({ json: { ...standing, score, above: [], below: [] } })
  })
  await page.route("**/scores/increment", (route) => {
    score++
    return route.fulfill({ json: { message: "Score incremented" } })
  })
  await fillIn(page, email)
}

const fillIn = async (page: Page, email: string) => {
  await page.getByLabel("E-mail").fill(email)
  await page.getByLabel("Password").fill("scoreboard")
  await page.getByLabel("Password").press("Enter")
}

const answer = (page: Page, path: string, status: number, retryAfterSeconds = 30) =>
  page.route(path, (route) =>
    route.fulfill({ status, headers: { "retry-after": String(retryAfterSeconds) } }),
  )

const press = (page: Page) => page.getByRole("button", { name: "Score a point" }).click()

/** A state of the page that a viewer can see. */
export interface Scene {
  readonly name: string
  readonly options?: OpenOptions
  /** Runs before the page is opened. */
  readonly arrange: (page: Page) => Promise<void>
  /** Brings the open page into the state. */
  readonly act?: (page: Page) => Promise<void>
  /** What is visible in the state. */
  readonly shows: (page: Page) => Locator
}

const DESKTOP = { viewport: { width: 1_100, height: 720 } }
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }
export const LYING_PHONE = { viewport: { width: 740, height: 360 }, hasTouch: true, isMobile: true }
const SCREEN = { viewport: { width: 1_920, height: 1_080 }, path: "/?wall" }

const full = { options: DESKTOP, arrange: (page: Page) => serveBoard(boardOf(10)).arrange(page) }
const live = (page: Page) => page.locator("[data-state=live]")
export const outside: Standing = { score: 812, rank: 4_213, players: 1_204_311, percentile: 0.3499 }

const HIGH: Standing = {
  score: Number.MAX_SAFE_INTEGER - 1_111_111_111_111,
  rank: 2,
  players: 8_123_456_789,
  percentile: 0.0002,
}

export const SCENES: ReadonlyArray<Scene> = [
  {
    name: "loading",
    options: DESKTOP,
    arrange: async (page) => {
      await page.route("**/scores", () => {})
      await page.routeWebSocket("**/scores/websocket?stamped", () => {})
    },
    shows: (page) => page.locator("[data-state=connecting]"),
  },
  {
    name: "empty",
    options: DESKTOP,
    arrange: (page) => serveBoard([]).arrange(page),
    shows: (page) => page.getByText("No scores yet"),
  },
  { name: "short", options: DESKTOP, arrange: (page) => serveBoard(boardOf(4)).arrange(page), shows: live },
  { name: "signed out", ...full, shows: live },
  {
    name: "fields missing",
    ...full,
    act: (page) => page.getByRole("button", { name: "Sign in", exact: true }).click(),
    shows: (page) => page.getByText("Enter your password."),
  },
  {
    name: "wrong password",
    ...full,
    act: async (page) => {
      await answer(page, "**/users/auth/login", 401)
      await fillIn(page, "grace@example.com")
    },
    shows: (page) => page.getByText("Wrong e-mail or password."),
  },
  {
    name: "sign-in limited",
    ...full,
    act: async (page) => {
      await answer(page, "**/users/auth/login", 429)
      await fillIn(page, "grace@example.com")
    },
    shows: (page) => page.getByRole("button", { name: "Wait" }),
  },
  {
    name: "signed in",
    ...full,
    // The picture of the README: as small as two columns can be.
    options: { viewport: { width: 900, height: 712 } },
    act: (page) => actAs(page, "grace@example.com"),
    shows: (page) => page.getByText("2nd of 1.2 million"),
  },
  {
    name: "outside the top ten",
    ...full,
    act: (page) => actAs(page, "mary@example.com", outside),
    shows: (page) => page.getByText("4,213th of 1.2 million, top 0.35%"),
  },
  {
    name: "press limited",
    ...full,
    act: async (page) => {
      await actAs(page, "grace@example.com")
      await answer(page, "**/scores/increment", 429)
      await press(page)
    },
    shows: (page) => page.getByText("Too fast"),
  },
  {
    name: "press unavailable",
    ...full,
    act: async (page) => {
      await actAs(page, "grace@example.com")
      await answer(page, "**/scores/increment", 503)
      await press(page)
    },
    shows: (page) => page.getByText("Scoring is unavailable right now."),
  },
  {
    name: "expired",
    ...full,
    act: async (page) => {
      await actAs(page, "grace@example.com")
      await answer(page, "**/scores/increment", 401)
      await answer(page, "**/users/auth/refresh", 401)
      await press(page)
    },
    shows: (page) => page.getByText("Your session has expired."),
  },
  {
    name: "polling",
    options: DESKTOP,
    arrange: async (page) => {
      await serveBoard(boardOf(10)).arrange(page)
      await page.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close())
    },
    shows: (page) => page.locator("[data-state=polling]"),
  },
  {
    name: "no server",
    options: DESKTOP,
    arrange: async (page) => {
      await page.route("**/scores", (route) => route.abort())
      await page.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close())
    },
    shows: (page) => page.getByText("Board unavailable"),
  },
  {
    name: "offline",
    ...full,
    act: async (page) => {
      await live(page).waitFor()
      // The routes of the test would answer without a network, too.
      await page.route("**/scores", (route) => route.abort())
      await page.routeWebSocket("**/scores/websocket?stamped", (socket) => socket.close())
      await page.context().setOffline(true)
    },
    shows: (page) => page.locator("[data-state=offline]"),
  },
  { name: "phone", ...full, options: PHONE, shows: live },
  {
    name: "phone signed in",
    ...full,
    options: PHONE,
    act: (page) => actAs(page, "mary@example.com", outside),
    shows: (page) => page.getByText("4,213th of 1.2 million, top 0.35%"),
  },
  {
    name: "lying phone signed in",
    ...full,
    options: LYING_PHONE,
    act: (page) => actAs(page, "mary@example.com", outside),
    shows: (page) => page.getByText("4,213th of 1.2 million, top 0.35%"),
  },
  { name: "wall", ...full, options: SCREEN, shows: live },
  ...[
    { name: "extremes", options: DESKTOP },
    { name: "phone extremes", options: PHONE },
  ].map((size) => ({
    ...size,
    arrange: (page: Page) => serveBoard(EXTREMES).arrange(page),
    act: (page: Page) => actAs(page, EXTREMES[1]?.email ?? "", HIGH),
    shows: (page: Page) => page.locator(".place", { hasText: "2nd of" }),
  })),
  {
    name: "wall extremes",
    options: SCREEN,
    arrange: (page) => serveBoard(EXTREMES).arrange(page),
    shows: live,
  },
  {
    name: "nobody yet",
    options: DESKTOP,
    arrange: (page) => serveBoard([]).arrange(page),
    act: (page) => actAs(page, "grace@example.com", { score: 0, rank: null, players: 0, percentile: null }),
    shows: (page) => page.getByText("Not on the board yet"),
  },
]
