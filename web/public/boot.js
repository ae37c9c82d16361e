// In a rolling deployment, an old server may lack a file of a new page. This asks five more times, because another
// server may have it. Then it says so, and reloads a blank page.
/** @param {ErrorEvent} event */
const retry = ({ target: old }) => {
  const isScript = old instanceof HTMLScriptElement
  if (!isScript && !(old instanceof HTMLLinkElement)) return
  const [path = "", tries = 0] = (isScript ? old.src : old.href).split("?try=")
  if (!path.includes("/assets/")) return
  const again = document.createElement(old.localName)
  for (const { name, value } of old.attributes) again.setAttribute(name, value)
  again.setAttribute(isScript ? "src" : "href", `${path}?try=${+tries + 1}`)
  if (+tries < 5) setTimeout(() => old.replaceWith(again), 500 * 2 ** +tries)
  else {
    document.getElementById("not-loaded")?.removeAttribute("hidden")
    setTimeout(() => document.getElementById("root")?.firstChild || location.reload(), 60000)
  }
}
addEventListener("error", retry, true)
