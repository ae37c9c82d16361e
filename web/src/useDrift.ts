import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

/** One step a minute is too slow to be noticed, and often enough that no edge burns in. */
const STEP_MS = 60_000

/** The largest distance from the normal position, in CSS pixels. The margin of the wall is wider. */
const REACH_PX = 12

/** Moves `element` a little every minute against burn-in. In about 12 hours it reaches every position. */
export const useDrift = (element: RefObject<HTMLElement | null>): void => {
  useEffect(() => {
    let step = 0
    const timer = setInterval(() => {
      step++
      const x = Math.round(REACH_PX * Math.sin(step * 0.131))
      const y = Math.round(REACH_PX * Math.sin(step * 0.113))
      if (element.current) element.current.style.translate = `${x}px ${y}px`
    }, STEP_MS)
    return () => clearInterval(timer)
  }, [])
}
