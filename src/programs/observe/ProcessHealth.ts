import * as Effect from "effect/Effect"
import { Cognito } from "../../services/Cognito/Cognito.ts"
import { Redis } from "../../services/Redis/Redis.ts"
import { Sql } from "../../services/Sql/Sql.ts"
import { Sqs } from "../../services/Sqs/Sqs.ts"
import { Health } from "./Health.ts"

/** An API process is ready while it can read boards, from PostgreSQL or Redis. Without the others it is degraded. */
export const ApiHealth = Health.layerWith(
  Effect.gen(function* () {
    const sql = yield* Sql
    const redis = yield* Redis
    const sqs = yield* Sqs
    const cognito = yield* Cognito
    return [
      { name: "postgresql", run: sql.ping },
      { name: "redis", run: redis.ping },
      { name: "sqs", run: sqs.check },
      { name: "cognito", run: cognito.check },
    ]
  }),
  (isUp) => isUp("postgresql") || isUp("redis"),
)

/** A worker needs all three: it receives from SQS, reads PostgreSQL and writes to Redis. */
export const WorkerHealth = Health.layerWith(
  Effect.gen(function* () {
    const sql = yield* Sql
    const redis = yield* Redis
    const sqs = yield* Sqs
    return [
      { name: "postgresql", run: sql.ping },
      { name: "redis", run: redis.ping },
      { name: "sqs", run: sqs.check },
    ]
  }),
  (isUp) => isUp("postgresql") && isUp("redis") && isUp("sqs"),
)
