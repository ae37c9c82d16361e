/**
 * For `node --import`: sets the wall clock of a process `SHIFT_CLOCK_MILLIS` ahead, or behind when it is negative.
 * Monotonic time and timers stay as they are.
 */
const shift = Number(process.env["SHIFT_CLOCK_MILLIS"])
if (!Number.isInteger(shift)) throw new Error("SHIFT_CLOCK_MILLIS is no whole number of milliseconds")

const now = Date.now.bind(Date)
Date.now = () => now() + shift
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => {
    const date: unknown = Reflect.construct(target, args.length === 0 ? [now() + shift] : args, newTarget)
    if (date instanceof target) return date
    throw new TypeError("Date gave no date")
  },
  apply: () => new Date().toString(),
})
