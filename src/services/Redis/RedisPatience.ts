import * as Effect from "effect/Effect"
import { monotonicMillis } from "../../foundation/MonotonicTime.ts"
import { RedisFailure } from "./Redis.ts"
import { failureOf } from "./RedisConnection.ts"

/** How often unanswered commands are looked at, in milliseconds. Nothing is looked at while none is unanswered. */
const CHECK_MILLIS = 10

/** A check this long after the one before, in milliseconds, does not count: this process was busy, not Redis. */
const BUSY_MILLIS = 20

/** A command is late if this many checks in a row found it unanswered: after 10 to 20 ms. */
const LATE_CHECKS = 2

/** The most that the way to Redis adds to that, in checks: 100 ms, as far as from one continent to another. */
const FARTHEST_CHECKS = 10

/** What becomes of commands after their callers stopped waiting for them. All members are synchronous. */
export interface RedisPatienceEvents {
  /** Commands began to be late. */
  readonly late: () => void
  /** A late command was answered. */
  readonly answered: () => void
  /** A late command failed, by its time limit or with its connection. */
  readonly failed: () => void
}

/**
 * Keeps the callers of one connection from waiting for a slow Redis. Redis answers in the order of the commands, so
 * once the oldest command is late, all that wait fail at once with `isLate`, and so do new ones, which are not sent. The
 * commands under way continue; when they are answered, commands are sent again.
 */
export interface RedisPatience {
  /** Sends a command. `send` must settle within its own time limit. */
  send<A>(operation: RedisFailure["operation"], send: () => Promise<A>): Effect.Effect<A, RedisFailure>
  /** Forgets how far Redis is: call it when a connection is established. */
  reset(): void
}

interface Unanswered {
  /** How many checks there had been when it was sent. */
  readonly sentAt: number
  /** Tells the caller that it need not wait; undefined if it was told. */
  release: (() => void) | undefined
}

const late = (operation: RedisFailure["operation"]) =>
  new RedisFailure({ operation, cause: new Error("Redis has not answered in time"), isLate: true })

/**
 * Makes it for one connection. A command costs one entry in a set: it reads no clock, and one timer serves all that are
 * unanswered.
 */
export const makeRedisPatience = Effect.fnUntraced(function* (
  events: RedisPatienceEvents,
): Effect.fn.Return<RedisPatience> {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const unanswered = new Set<Unanswered>()
  let checks = 0
  let isChecking = false
  let isLate = false
  /** The fewest checks within which Redis answered on this connection; undefined before its first answer. */
  let fewest: number | undefined

  const oldestIsLate = () => {
    const [oldest] = unanswered
    const allowed = LATE_CHECKS + Math.min(fewest ?? 0, FARTHEST_CHECKS)
    return oldest !== undefined && checks - oldest.sentAt >= allowed
  }

  const check = (began: number) => (now: number) => {
    if (now - began < BUSY_MILLIS) checks += 1
    isChecking = unanswered.size > 0
    if (!oldestIsLate()) return
    if (!isLate) events.late()
    isLate = true
    for (const command of unanswered) {
      command.release?.()
      command.release = undefined
    }
  }
  // The event loop reads what has arrived between the sleep and the check.
  const checkUntilAnswered = Effect.flatMap(monotonicMillis, (began) =>
    Effect.sleep(CHECK_MILLIS).pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(Effect.map(monotonicMillis, check(began))),
    ),
  ).pipe(Effect.repeat({ while: () => isChecking }))

  const begin = (release: () => void) => {
    const command: Unanswered = { sentAt: checks, release }
    unanswered.add(command)
    if (!isChecking) {
      isChecking = true
      run(checkUntilAnswered)
    }
    return command
  }

  /** Ends a command; gives whether its caller still waits. */
  const end = (command: Unanswered) => {
    unanswered.delete(command)
    if (isLate) isLate = oldestIsLate()
    return command.release !== undefined
  }

  return {
    send: (operation, send) =>
      Effect.callback((resume) => {
        if (isLate) return resume(Effect.fail(late(operation)))
        const command = begin(() => resume(Effect.fail(late(operation))))
        send().then(
          (answer) => {
            fewest = Math.min(fewest ?? FARTHEST_CHECKS, checks - command.sentAt)
            if (end(command)) resume(Effect.succeed(answer))
            else events.answered()
          },
          (error: unknown) => {
            if (end(command)) resume(Effect.fail(failureOf(operation, error)))
            else events.failed()
          },
        )
      }),
    reset: () => {
      fewest = undefined
    },
  }
})
