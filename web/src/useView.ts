import { useEffect, useState } from "preact/hooks"

interface Source<View> {
  readonly view: View
  subscribe(listener: (view: View) => void): () => void
}

/** The current view of a board or a player. The component renders again when it changes. */
export const useView = <View>(source: Source<View>): View => {
  const [view, setView] = useState(source.view)
  useEffect(() => source.subscribe(setView), [source])
  return view
}
