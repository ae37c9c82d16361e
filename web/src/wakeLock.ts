/**
 * Asks the system to keep the screen on while the page is visible; a system that refuses is left in peace.
 * The returned function gives the screen back.
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
  // The lock is lost whenever the page is hidden.
  const again = () => void acquire()
  document.addEventListener("visibilitychange", again)
  again()
  return () => {
    isOver = true
    document.removeEventListener("visibilitychange", again)
    void lock?.release()
  }
}
