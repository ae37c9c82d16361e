/**
 * Preloaded into every server under test (`node --expose-gc --import`): SIGUSR2 collects all garbage and tells what
 * JavaScript holds after that, in bytes, as `held <n> <JSON>`; `n` counts the answers.
 */
let answers = 0
process.on("SIGUSR2", () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  console.log(`held ${++answers} ${JSON.stringify({ heapUsed, heapTotal, external, arrayBuffers })}`)
})
