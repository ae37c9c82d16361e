import { assert, it } from "@effect/vitest"
import * as HttpRouter from "effect/http/HttpRouter"
import { Documentation } from "../../../../src/programs/http/Documentation.ts"

it("lets the script of /docs run, and no other document has a policy of its own", async () => {
  const { handler, dispose } = HttpRouter.toWebHandler(Documentation, { disableLogger: true })
  try {
    const ask = (path: string) => handler(new Request(`http://api.test${path}`))
    const docs = await ask("/docs")
    assert.strictEqual(docs.status, 200)
    assert.match(docs.headers.get("content-security-policy") ?? "", /script-src 'unsafe-inline'/)
    const contract = await ask("/openapi.json")
    assert.strictEqual(contract.status, 200)
    assert.isNull(contract.headers.get("content-security-policy"))
  } finally {
    await dispose()
  }
})
