import { useRef } from "preact/hooks"
import type { BoardView } from "../../../src/client/ScoreboardClient.ts"
import { type OwnPlace, ownPlace, type Viewer } from "./ownPlace.ts"

/** The row of the viewer on the board that is shown: see `OwnPlace.at`. */
export const useOwnPlace = ({ scores, stamp }: BoardView, viewer: Viewer | undefined): OwnPlace["at"] => {
  const proof = useRef<OwnPlace["proof"]>(undefined)
  const own = ownPlace({ scores: scores ?? [], stamp }, viewer, proof.current)
  proof.current = own.proof
  return scores && own.at
}
