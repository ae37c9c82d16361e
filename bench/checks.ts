/** What is demanded of a figure, and whether it holds. */
export interface Check {
  readonly what: string
  readonly found: string
  readonly holds: boolean
}

/** Prints a line for each, and makes the exit code 1 unless all hold. */
export const report = (checks: ReadonlyArray<Check>): void => {
  for (const { what, found, holds } of checks) console.log(`${holds ? "holds" : "BROKEN"}: ${what}: ${found}`)
  if (!checks.every(({ holds }) => holds)) process.exitCode = 1
}
