import process from "node:process"

/**
 * Keeps a repeat of SIGINT or SIGTERM from killing this process while it ends. The runtime handles these signals until
 * its last step; a repeat in the moment between that and the exit would otherwise take the place of the exit code. A
 * terminal's Ctrl-C comes twice under npm.
 */
export const outlastSignals = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
}
