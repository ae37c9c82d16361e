import type { RefObject } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import { prefersStill } from "../motion.ts"

const GLIDE_MS = 650
const EASING = "cubic-bezier(0.22, 1, 0.36, 1)"

const rowsOf = (list: HTMLElement | null): HTMLElement[] =>
  list === null ? [] : [...list.querySelectorAll<HTMLElement>("[data-row]")]

const topsOf = (list: HTMLElement | null): Map<string, number> => {
  const origin = list?.getBoundingClientRect().top ?? 0
  return new Map(
    rowsOf(list).map((row) => [row.dataset["row"] ?? "", row.getBoundingClientRect().top - origin]),
  )
}

const glide = (row: HTMLElement, fromTop: number | undefined, toTop: number): void => {
  if (fromTop === undefined) {
    row.animate([{ transform: "translateY(1.5rem)", opacity: 0 }, {}], { duration: GLIDE_MS, easing: EASING })
    return
  }
  const distance = fromTop - toTop
  if (Math.abs(distance) < 1) return
  const rises = distance > 0
  row.animate(
    [
      { transform: `translateY(${distance}px)`, zIndex: rises ? 2 : 1 },
      {
        transform: `translateY(${distance * 0.5}px) scale(${rises ? 1.015 : 0.99})`,
        zIndex: rises ? 2 : 1,
        offset: 0.2,
      },
      { transform: "none", zIndex: rises ? 2 : 1 },
    ],
    { duration: GLIDE_MS, easing: EASING },
  )
}

/**
 * Lets each row of `list` glide from where its player is visible to its new place whenever `order` changes. A row is an
 * element whose `data-row` identifies the player. A change during a glide starts from where the player is visible at
 * that moment. If the viewer prefers less motion, rows jump.
 */
export const useGlide = (list: RefObject<HTMLElement | null>, order: string): void => {
  const lastOrder = useRef<string | undefined>(undefined)
  // Read while rendering: afterwards the rows already show other players.
  const seen =
    lastOrder.current !== undefined && lastOrder.current !== order ? topsOf(list.current) : undefined

  useLayoutEffect(() => {
    lastOrder.current = order
    if (seen === undefined || prefersStill()) return
    const rows = rowsOf(list.current)
    for (const row of rows) for (const animation of row.getAnimations()) animation.cancel()
    const tops = topsOf(list.current)
    for (const row of rows) {
      const key = row.dataset["row"] ?? ""
      glide(row, seen.get(key), tops.get(key) ?? 0)
    }
  }, [order])
}
