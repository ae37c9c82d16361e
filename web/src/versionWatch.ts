/** About how often a page that nobody touches checks for a newer version. */
const CHECK_MS = 300_000

/** The `sessionStorage` key of the version for which this tab has last reloaded itself. */
const MEMORY = "scoreboard-reloaded-for"

/** The names of the page's scripts and styles. They contain a hash of the content, so they identify the version. `boot.js` may add a query. */
const versionOf = (html: string): string | undefined => {
  const names = html.match(/\/assets\/[^"'\s>?]+/g)
  return names ? [...new Set(names)].toSorted().join(" ") : undefined
}

const deployedVersion = async (): Promise<string | undefined> => {
  try {
    const answer = await fetch("/", { cache: "no-store" })
    return answer.ok ? versionOf(await answer.text()) : undefined
  } catch {
    // Without an answer, the version is unknown.
    return undefined
  }
}

/**
 * Reloads the page when another version is deployed, until the returned function is called. Two checks in a row have to
 * find the same new version, because during a rolling deployment each answer may come from another server. The page
 * reloads only once for a version, so a cache that still returns the old page causes no loop.
 */
export const reloadOnNewVersion = (): (() => void) => {
  const running = versionOf(document.documentElement.outerHTML)
  let seen: string | undefined
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const check = async () => {
    const deployed = await deployedVersion()
    if (isOver) return
    if (deployed === running) sessionStorage.removeItem(MEMORY)
    if (deployed === undefined || deployed === running || deployed !== seen) {
      seen = deployed
      return schedule()
    }
    if (sessionStorage.getItem(MEMORY) === deployed) return schedule()
    sessionStorage.setItem(MEMORY, deployed)
    location.reload()
  }
  // Random, so that a hundred screens that were switched on together do not all check at the same moment.
  const schedule = () => {
    timer = setTimeout(() => void check(), CHECK_MS * (0.75 + 0.5 * Math.random()))
  }

  schedule()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
