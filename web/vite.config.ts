import { defineConfig } from "vite"

/** The API of `npm start`, which the development server stands in front of. */
const api = "http://127.0.0.1:8080"

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "baseline-widely-available",
    // The page is served with `default-src 'self'`: nothing inline, not even a small image.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: {
    proxy: {
      "/scores": { target: api, ws: true },
      "/users": { target: api },
    },
  },
})
