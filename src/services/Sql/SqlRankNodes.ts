import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

/**
 * A score has 14 digits of 4 bits, from level 0, the last one, to level 13. A node is a level and a block: the digits
 * above that level. Column `c1` counts the visible players of its block whose digit at that level is at least 1, `c15`
 * those whose digit is 15; null is 0.
 */
export const NODE_COLUMNS: ReadonlyArray<string> = Array.from({ length: 15 }, (_, at) => `c${at + 1}`)

/** The lists of SQL that are the same for each of the columns. */
export const forEachColumn = (text: (column: string, digit: number) => string) =>
  NODE_COLUMNS.map((column, at) => text(column, at + 1)).join(", ")

/** What happens to a node that is there already, `p`: the sum of both, where null is 0. */
export const ADD_TO_NODE = `on conflict (period, level, block, shard) do update set ${forEachColumn(
  (c) => `${c} = coalesce(p.${c} + excluded.${c}, p.${c}, excluded.${c})`,
)}`

/**
 * One row (players, first, second): how many visible players have at least one point, and how many have more than each of
 * two scores, which are expressions of SQL and may be null. The players above a score are those who share its digits above
 * a level and have a larger digit there, summed over the levels. One descent of an index for each block on each of the
 * levels that anybody has a digit on, at most 14, each to at most 16 rows, however many players there are. The scores of
 * one stretch share most of their nodes, and the players with points are those of block 0 whose digit is at least 1.
 *
 * Element 16 of an array of 15 is null: nobody has more than 15. Each `offset 0` keeps the planner from reading the whole
 * table instead, which it would do while the table is small, and go on doing with the plan that it keeps.
 */
export const playersAboveBoth = (sql: SqlClient.SqlClient, first: Fragment, second: Fragment) => sql`
  select coalesce(sum(c[1]) filter (where block = 0), 0)::float8 as players,
    coalesce(sum(c[((a >> (4 * l)) & 15) + 1]) filter (where block = a >> (4 * l + 4)), 0)::float8 as first,
    coalesce(sum(c[((b >> (4 * l)) & 15) + 1]) filter (where block = b >> (4 * l + 4)), 0)::float8 as second
  from (select ${first} as a, ${second} as b offset 0) e,
    (select generate_series(0, (select max(level) from rank_node where period = 0)) as l offset 0) g, lateral (
    select block, array[${sql.literal(NODE_COLUMNS.join(", "))}] as c from rank_node n
    where n.period = 0 and n.level = l and n.block = any (array[0, a >> (4 * l + 4), b >> (4 * l + 4)]) offset 0) y`
