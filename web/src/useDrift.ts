import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

/** One step a minute is too slow to be noticed and often enough that no edge burns in. */
const STEP_MS = 60_000

/** How far the picture strays from its place, in CSS pixels; the wall's margin is wider. */
const REACH_PX = 12

/** Moves `element` a little every minute, on a path that visits its whole neighbourhood in about 12 hours. */
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
