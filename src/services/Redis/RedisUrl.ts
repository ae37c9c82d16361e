import * as Config from "effect/Config"
import * as Schema from "effect/Schema"
import type { RedisOptions } from "ioredis"
import { isIP } from "node:net"

type Endpoint = Pick<RedisOptions, "host" | "port" | "db" | "username" | "password" | "tls">

/** The address of Redis and how to sign in; undefined if the URL is malformed. The query of the URL is ignored. */
export const parseRedisUrl = (text: string): Endpoint | undefined => {
  const url = URL.parse(text)
  if (url === null || url.hostname === "" || !/^(\/\d*)?$/.test(url.pathname)) return undefined
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") return undefined
  const host = url.hostname.replace(/^\[|\]$/g, "")
  // A server or proxy with several certificates chooses by the name (SNI), which Node does not send by itself. RFC 6066
  // allows no address there.
  const tls = isIP(host) === 0 ? { servername: host } : {}
  try {
    return {
      host,
      port: url.port === "" ? 6379 : Number(url.port),
      db: Number(url.pathname.slice(1)),
      ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
      ...(url.protocol === "rediss:" ? { tls } : {}),
    }
  } catch {
    // The user or password has a "%" that encodes nothing.
    return undefined
  }
}

const RedisUrl = Schema.String.check(
  Schema.makeFilter(
    (text) => parseRedisUrl(text) !== undefined || "expected redis[s]://[user:password@]host[:port][/db]",
  ),
)

/** `REDIS_URL`: `redis://` or, over TLS, `rediss://`. Required. The error about a bad value does not contain it. */
export const redisConfig = { url: Config.schema(Schema.Redacted(RedisUrl), "REDIS_URL") }
