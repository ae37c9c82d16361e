import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { defineConfig, type Plugin } from "vite"

/** The API that `npm start` runs with the same `PORT`. The development server forwards requests to it. */
const api = `http://127.0.0.1:${process.env["PORT"] ?? "8080"}`

/** Text files. Pictures and fonts are not listed, because their formats are already compressed. */
const TEXT = /\.(?:css|html|js|json|svg|txt|webmanifest)$/

/** Each coding, named as in `Accept-Encoding`, at its best compression, because only a build compresses. */
const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: (bytes) => brotliCompressSync(bytes),
  gzip: (bytes) => gzipSync(bytes, { level: 9 }),
}

/** Also writes each text file of the build compressed, into a folder per coding: `src/programs/http/Page.ts` serves it. */
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
    // The page is served with `default-src 'self'`, so nothing may be inline, not even a small image.
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
