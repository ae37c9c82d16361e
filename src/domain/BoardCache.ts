/** Redis key that holds the newest board. From the brief. */
export const BOARD_KEY = "leaderboard:top10"

/** Redis channel on which a new board is published. From the brief. */
export const BOARD_CHANNEL = "leaderboard:updated"

/** The key's time to live, unless it is renewed. From the brief: "TTL 1 minute". */
export const BOARD_TTL_SECONDS = 60
