/**
 * Preloaded into every server under test (`node --expose-gc --import`): SIGUSR2 collects all garbage and tells what
 * JavaScript holds after that, in bytes.
 */
process.on("SIGUSR2", () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  console.log(`held ${heapUsed + external}`)
})
