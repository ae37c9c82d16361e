/** The processes of the system under test. */
export const PROCESSES = ["api-1", "api-2", "worker-1", "worker-2"] as const
export type ProcessName = (typeof PROCESSES)[number]

/** What every process depends on. */
export const DEPENDENCIES = ["postgres", "redis", "sqs", "cognito"] as const
export type Dependency = (typeof DEPENDENCIES)[number]
