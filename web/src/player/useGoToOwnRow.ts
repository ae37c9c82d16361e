import { useEffect, useRef } from "preact/hooks"
import { prefersStill } from "../motion.ts"

const TAKES_OVER = ["wheel", "touchmove", "keydown"]

/**
 * Once after a sign-in, when `isKnown`, brings the player's row into view, or the top of the page if the player has none:
 * on a small screen the form was below the board, and the view would stay there. Not after the viewer has scrolled. The
 * focus is elsewhere, and remains there.
 */
export const useGoToOwnRow = (isKnown: boolean): void => {
  const isOver = useRef(false)
  useEffect(() => {
    const end = () => (isOver.current = true)
    for (const event of TAKES_OVER) addEventListener(event, end, { once: true })
  }, [])
  useEffect(() => {
    if (!isKnown || isOver.current) return
    isOver.current = true
    const goal = document.querySelector("[data-own=true]") ?? document.querySelector("h1")
    goal?.scrollIntoView({ block: "center", behavior: prefersStill() ? "auto" : "smooth" })
  }, [isKnown])
}
