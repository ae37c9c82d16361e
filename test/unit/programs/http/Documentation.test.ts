import { assert, it } from "@effect/vitest"
import * as HttpRouter from "effect/http/HttpRouter"
import { Documentation } from "../../../../src/programs/http/Documentation.ts"

type Ask = (path: string) => Promise<Response>

const served = async (use: (ask: Ask) => Promise<void>) => {
  const { handler, dispose } = HttpRouter.toWebHandler(Documentation, { disableLogger: true })
  try {
    await use((path) => handler(new Request(`http://api.test${path}`)))
  } finally {
    await dispose()
  }
}

it("lets the script of /docs run, and no other document has a policy of its own", () =>
  served(async (ask) => {
    const docs = await ask("/docs")
    assert.strictEqual(docs.status, 200)
    assert.match(docs.headers.get("content-security-policy") ?? "", /script-src 'unsafe-inline'/)
    const contract = await ask("/openapi.json")
    assert.strictEqual(contract.status, 200)
    assert.isNull(contract.headers.get("content-security-policy"))
  }))

it("says the language and the icon of /docs, and asks Scalar for no foreign font, telemetry or client", () =>
  served(async (ask) => {
    for (let time = 0; time < 2; time++) {
      const docs = await ask("/docs")
      const html = await docs.text()
      assert.match(
        html,
        /^<!doctype html>\s*<html lang="en">\s*<head>\s*<link rel="icon" href="\/favicon.ico"/,
      )
      const settings = html.slice(html.lastIndexOf("createApiReference"))
      assert.match(settings, /"withDefaultFonts":false,"telemetry":false,"hideClientButton":true,/)
      assert.match(settings, /"showDeveloperTools":"never"/)
    }
  }))
