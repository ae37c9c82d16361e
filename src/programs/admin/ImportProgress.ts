/** How far an import has come. */
export interface Progress {
  /** Lines that were imported or left out. */
  readonly lines: number
  readonly seconds: number
  /** Bytes of the file that were read, and all of them. */
  readonly read: number
  readonly size: number
}

const whole = (value: number) => Math.round(value).toLocaleString("en")

const duration = (seconds: number) => (seconds < 90 ? `${whole(seconds)} s` : `${whole(seconds / 60)} min`)

/** One line for the terminal: lines, rate and what is left. */
export const describeProgress = ({ lines, seconds, read, size }: Progress): string => {
  const left = read === 0 ? undefined : (seconds * (size - read)) / read
  return [
    `${whole(lines)} lines`,
    `${whole(lines / Math.max(seconds, 0.001))} a second`,
    `${whole((100 * read) / size)} % of the file`,
    ...(left === undefined ? [] : [`about ${duration(left)} left`]),
  ].join(", ")
}
