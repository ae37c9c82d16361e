import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { defineConfig, type Plugin } from "vite"

/** The API of `npm start`, which the development server stands in front of. */
const api = "http://127.0.0.1:8080"

/** What is text: pictures and fonts that the page may get one day are compressed by themselves. */
const TEXT = /\.(?:css|html|js|json|svg|txt|webmanifest)$/

/** As small as it gets: this is done once. The folders are named as `Accept-Encoding` names the codings. */
const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: (bytes) => brotliCompressSync(bytes),
  gzip: (bytes) => gzipSync(bytes, { level: 9 }),
}

/** Puts every text of the build a second time, compressed, under its name into a folder per coding: see `src/programs/http/Page.ts`. */
const precompress = (): Plugin => {
  let folder = ""
  return {
    name: "precompress",
    apply: "build",
    configResolved: ({ root, build }) => void (folder = resolve(root, build.outDir)),
    writeBundle: () => {
      for (const name of readdirSync(folder, { encoding: "utf8", recursive: true })) {
        if (!TEXT.test(name)) continue
        const bytes = readFileSync(join(folder, name))
        for (const [coding, compress] of Object.entries(CODINGS)) {
          const smaller = compress(bytes)
          if (smaller.length >= bytes.length) continue
          const target = join(folder, coding, name)
          mkdirSync(dirname(target), { recursive: true })
          writeFileSync(target, smaller)
        }
      }
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [precompress()],
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
