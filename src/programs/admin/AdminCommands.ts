import type * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import type { ImportFile } from "../../services/ImportFile/ImportFile.ts"
import { RedisBoard } from "../../services/Redis/RedisBoard.ts"
import type { SqlImport } from "../../services/Sql/SqlImport.ts"
import type { SqlInspection } from "../../services/Sql/SqlInspection.ts"
import type { SqlLevels } from "../../services/Sql/SqlLevels.ts"
import type { SqlModeration } from "../../services/Sql/SqlModeration.ts"
import type { SqlSchema } from "../../services/Sql/SqlSchema.ts"
import type { SqsDeadLetters } from "../../services/Sqs/SqsDeadLetters.ts"
import { corrections } from "./CorrectionCommands.ts"
import { deadLetters, deadLettersList, deadLettersRedrive } from "./DeadLetterCommands.ts"
import { importScores } from "./ImportCommands.ts"
import { migrate } from "./MigrateCommands.ts"
import { moderation } from "./ModerationCommands.ts"
import { outbox, outboxList } from "./OutboxCommands.ts"
import { generate, ranks } from "./RankCommands.ts"
import { verify } from "./VerifyCommand.ts"

/** What the commands stand on. A layer is built only by a command that runs and needs it: help needs none. */
interface AdminLayers {
  readonly moderation: Layer.Layer<SqlModeration, unknown>
  readonly levels: Layer.Layer<SqlLevels, unknown>
  readonly imports: Layer.Layer<ImportFile | SqlImport, unknown>
  readonly schema: Layer.Layer<SqlSchema, unknown>
  readonly inspection: Layer.Layer<SqlInspection, unknown>
  readonly board: Layer.Layer<RedisBoard, unknown>
  readonly deadLetters: Layer.Layer<SqsDeadLetters, unknown>
}

/** `admin` with all of its commands. `by` is the operator's name when `--by` is absent. */
export const adminCommand = (by: string, layers: AdminLayers) => {
  const { hide, restore, sessions, history } = moderation(by)
  const { correct, undo } = corrections(by)
  return Command.make("admin").pipe(
    Command.withDescription(
      "Commands for operators. DATABASE_URL, or DATABASE_HOST and its like, name the database; without them, that of the `npm start` in this folder is used",
    ),
    Command.withSubcommands([
      hide.pipe(Command.provide(layers.moderation)),
      restore.pipe(Command.provide(layers.moderation)),
      correct.pipe(Command.provide(layers.moderation)),
      undo.pipe(Command.provide(layers.moderation)),
      sessions.pipe(Command.provide(layers.moderation)),
      history.pipe(Command.provide(layers.moderation)),
      importScores(by).pipe(Command.provide(layers.imports)),
      ranks.pipe(Command.provide(layers.levels)),
      generate.pipe(Command.provide(layers.levels)),
      migrate.pipe(Command.provide(layers.schema)),
      verify.pipe(
        Command.provide(({ withoutRedis }) =>
          withoutRedis ? RedisBoard.layerAbsent("--without-redis") : layers.board,
        ),
        Command.provide(layers.inspection),
      ),
      deadLetters.pipe(
        Command.withSubcommands([
          deadLettersList.pipe(Command.provide(layers.deadLetters)),
          deadLettersRedrive.pipe(Command.provide(layers.deadLetters)),
        ]),
      ),
      outbox.pipe(Command.withSubcommands([outboxList.pipe(Command.provide(layers.inspection))])),
    ]),
  )
}
