import { useEffect, useState } from "preact/hooks"

/** The time in ms since 1970, updated when `ticking` becomes true and then every second while it is. */
export const useNow = (ticking: boolean): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!ticking) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [ticking])
  return now
}

/** The seconds left until `until` (ms since 1970), rounded up. Counts down to 0. */
export const useCountdown = (until: number): number => {
  const now = useNow(until > Date.now())
  return Math.max(0, Math.ceil((until - Math.max(now, Date.now())) / 1_000))
}
