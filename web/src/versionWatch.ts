/** How often a page nobody touches asks whether there is a newer one. */
const CHECK_MS = 300_000

/** Where a tab remembers for which version it has loaded itself again, over that very loading. */
const MEMORY = "scoreboard-reloaded-for"

/** The names of a page's scripts and styles: they carry a hash of their content, so they are its version. */
const versionOf = (html: string): string | undefined => {
  const names = html.match(/\/assets\/[^"'\s>]+/g)
  return names ? [...new Set(names)].toSorted().join(" ") : undefined
}

const deployedVersion = async (): Promise<string | undefined> => {
  try {
    const answer = await fetch("/", { cache: "no-store" })
    return answer.ok ? versionOf(await answer.text()) : undefined
  } catch {
    // No answer says nothing about the version.
    return undefined
  }
}

/**
 * Loads the page again when another version of it is deployed: seen in two checks in a row, so that a deployment
 * under way, where every answer may come from another server, is over; and once for a version, so that a cache
 * which keeps an old page makes no loop. Until the returned function is called.
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
  // Spread, so that a hundred screens that were switched on together do not ask together.
  const schedule = () => {
    timer = setTimeout(() => void check(), CHECK_MS * (0.75 + 0.5 * Math.random()))
  }

  schedule()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
