import * as Config from "effect/Config"
import * as Schema from "effect/Schema"
import type { RedisOptions } from "ioredis"

type Endpoint = Pick<RedisOptions, "host" | "port" | "db" | "username" | "password" | "tls">

/** Where Redis is and how to sign in. The URL's query is not used: options are the code's to choose. */
export const parseRedisUrl = (text: string): Endpoint | undefined => {
  const url = URL.parse(text)
  if (url === null || url.hostname === "" || !/^(\/\d*)?$/.test(url.pathname)) return undefined
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") return undefined
  try {
    return {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? 6379 : Number(url.port),
      db: Number(url.pathname.slice(1)),
      ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
      ...(url.protocol === "rediss:" ? { tls: {} } : {}),
    }
  } catch {
    // A "%" that encodes nothing.
    return undefined
  }
}

const RedisUrl = Schema.String.check(
  Schema.makeFilter(
    (text) => parseRedisUrl(text) !== undefined || "expected redis[s]://[user:password@]host[:port][/db]",
  ),
)

/** `REDIS_URL`: `redis://` or, over TLS, `rediss://`. Required; a bad value is named and not shown. */
export const redisConfig = { url: Config.schema(Schema.Redacted(RedisUrl), "REDIS_URL") }
