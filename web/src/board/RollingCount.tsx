import { useLayoutEffect, useRef, useState } from "preact/hooks"
import { formatCount } from "../format.ts"
import { prefersStill } from "../motion.ts"

const ROLL_MS = 600

interface RollingCountProps {
  readonly value: number
  /** The number to start from when the count appears (default: `value`, so that nothing rolls). */
  readonly from?: number | undefined
}

/** A count that rolls from its old value to its new one. When it grows, the difference rises beside it. */
export const RollingCount = ({ value, from: start = value }: RollingCountProps) => {
  const element = useRef<HTMLSpanElement>(null)
  const shown = useRef(start)
  const target = useRef(start)
  const [gain, setGain] = useState({ points: 0, id: 0 })

  useLayoutEffect(() => {
    const from = shown.current
    const show = (count: number) => {
      shown.current = count
      if (element.current) element.current.textContent = formatCount(count)
    }
    const points = value - target.current
    target.current = value
    if (points > 0) setGain(({ id }) => ({ points, id: id + 1 }))
    if (from === value || prefersStill()) return show(value)

    let startedAt: number | undefined
    let frame = 0
    const step = (time: number) => {
      startedAt ??= time
      const part = Math.min(1, (time - startedAt) / ROLL_MS)
      show(Math.round(from + (value - from) * (1 - (1 - part) ** 3)))
      if (part < 1) frame = requestAnimationFrame(step)
    }
    frame = requestAnimationFrame(step)
    return () => cancelAnimationFrame(frame)
  }, [value])

  return (
    <span class="count">
      <span ref={element} />
      {gain.id > 0 && (
        <span class="gain" key={gain.id} aria-hidden="true">
          +{formatCount(gain.points)}
        </span>
      )}
    </span>
  )
}
