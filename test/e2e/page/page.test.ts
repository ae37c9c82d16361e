import { describe, layer } from "@effect/vitest"
import { files } from "./files.ts"
import { Product } from "./fixtures.ts"
import { live } from "./live.ts"
import { player } from "./player.ts"
import { receipts } from "./receipts.ts"
import { screens } from "./screens.ts"
import { secure } from "./secure.ts"
import { sessions } from "./sessions.ts"
import { states } from "./states.ts"

// One file, because starting the browser and the product for each part would take longer than most parts.
layer(Product.layer, { excludeTestServices: true, timeout: "60 seconds" })("The page", (it) => {
  describe("files", () => {
    files(it)
  })
  describe("a player", () => {
    player(it)
  })
  describe("a session", () => {
    sessions(it)
  })
  describe("receipts", () => {
    receipts(it)
  })
  describe("on every screen, and on paper", () => {
    screens(it)
  })
  describe("states", () => {
    states(it)
  })
  describe("live", () => {
    live(it)
  })
  describe("behind TLS", () => {
    secure(it)
  })
})
