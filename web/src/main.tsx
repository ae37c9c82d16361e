import { render } from "preact"
import { Player } from "../../src/client/Player.ts"
import { ScoreboardClient } from "../../src/client/ScoreboardClient.ts"
import { App } from "./App.tsx"
import "./styles/tokens.css"
import "./styles/page.css"
import "./styles/board.css"
import "./styles/player.css"
import "./styles/wall.css"
import "./styles/print.css"
import { Wall } from "./Wall.tsx"

const url = location.origin
const isWall = new URLSearchParams(location.search).has("wall")
// A wall screen has one page and no tabs. It stays connected even if the window manager reports the page as hidden.
const board = new ScoreboardClient({ url, pauseWhenHidden: !isWall })

// A board that requires receipts says so in its document.
const canScore = !("receipts" in document.documentElement.dataset)

const root = document.getElementById("root")
if (root === null) throw new Error("index.html has no #root")
render(
  isWall ? <Wall board={board} /> : <App board={board} player={new Player({ url })} canScore={canScore} />,
  root,
)
