import { userInfo } from "node:os"

/**
 * Who runs this process, for the history: the user's name, or `uid 12345` where nobody has that id, as in a container
 * that runs under an arbitrary one. An operator there says with `--by` who they are.
 */
export const operatorName = (): string => {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.geteuid?.() ?? "unknown"}`
  }
}
