import type { Plain } from "../../../edge/src/Plain.ts"
import { type Question, Reads, type Surroundings } from "../../../edge/src/Reads.ts"

const bodyOf = (text: string) => new TextEncoder().encode(text).buffer
const textOf = (body: ArrayBuffer) => new TextDecoder().decode(body)

/** A location of the edge with a clock that the test moves, and an origin that answers when the test says so. */
export class World {
  readonly reads = new Reads()
  readonly stored = new Map<string, Plain>()
  now = 1_000_000
  asked = 0
  allowed = 0
  mayAsk = true
  /** What the origin answers: a status, or undefined when it is unavailable. */
  status: number | undefined = 200
  /** Answers wait for this. */
  ready: Promise<unknown> = Promise.resolve()
  private readonly sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []

  readonly around: Surroundings = {
    now: () => this.now,
    sleep: (millis) =>
      new Promise((resolve) => this.sleepers.push({ at: this.now + millis, wake: () => resolve(undefined) })),
    find: (key) => Promise.resolve(this.stored.get(key)),
    store: (key, answer) => Promise.resolve(void this.stored.set(key, answer)),
    outlive: () => undefined,
  }

  question(key = "/scores", more: Partial<Question> = {}): Question {
    return {
      key,
      freshMillis: 1_000,
      staleMillis: 5_000,
      account: undefined,
      mayAsk: () => {
        this.allowed++
        return Promise.resolve(this.mayAsk)
      },
      ask: async () => {
        const askedAt = this.now
        const n = ++this.asked
        await this.ready
        if (this.status === undefined) return undefined
        return { askedAt, status: this.status, headers: {}, body: bodyOf(`${key} ${n}`) }
      },
      ...more,
    }
  }

  /** Reads, and gives the reply in words. */
  async read(question = this.question(), reads = this.reads): Promise<string> {
    const reply = await reads.read(question, this.around)
    if (!("answer" in reply)) return reply.from
    return `${reply.from} ${reply.answer.status} ${textOf(reply.answer.body)}, ${reply.ageSeconds} s`
  }

  async advance(millis: number) {
    this.now += millis
    for (const { at, wake } of this.sleepers) if (at <= this.now) wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
