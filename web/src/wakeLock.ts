/**
 * Asks the system to keep the screen on while the page is visible. If the system refuses, nothing happens. The returned
 * function lets the screen turn off again.
 */
export const keepScreenOn = (): (() => void) => {
  let lock: WakeLockSentinel | undefined
  let isOver = false
  const acquire = async () => {
    if (!("wakeLock" in navigator) || document.visibilityState !== "visible") return
    const acquired = await navigator.wakeLock.request("screen").catch(() => undefined)
    if (isOver) await acquired?.release()
    else lock = acquired
  }
  // The system releases the lock when the page is hidden, so it is requested again when the page is shown.
  const again = () => void acquire()
  document.addEventListener("visibilitychange", again)
  again()
  return () => {
    isOver = true
    document.removeEventListener("visibilitychange", again)
    void lock?.release()
  }
}
