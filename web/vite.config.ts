import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { defineConfig, minifySync, type Plugin } from "vite"

/** The API that `npm start` runs with the same `PORT`. The development server forwards requests to it. */
const api = `http://127.0.0.1:${process.env["PORT"] ?? "8080"}`

/** Text files. Pictures and fonts are not listed, because their formats are already compressed. */
const TEXT = /\.(?:css|html|js|json|svg|txt|webmanifest)$/

/** Each coding, named as in `Accept-Encoding`, at its best compression, because only a build compresses. */
const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: (bytes) => brotliCompressSync(bytes),
  gzip: (bytes) => gzipSync(bytes, { level: 9 }),
}

/** Minifies the scripts of the folder `public`, which a build copies as they are. */
const minifyPublic = (): Plugin => {
  let folder = ""
  return {
    name: "minify-public",
    apply: "build",
    configResolved: ({ root, build }) => void (folder = resolve(root, build.outDir)),
    writeBundle: () => {
      for (const name of readdirSync(folder).filter((file) => file.endsWith(".js"))) {
        const path = join(folder, name)
        const { code, errors } = minifySync(name, readFileSync(path, "utf8"))
        if (errors.length > 0) throw new Error(`${name} cannot be minified`, { cause: errors })
        writeFileSync(path, code)
      }
    },
  }
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

/**
 * Takes the indentation out of the document, and writes a second one for a board that requires receipts. The server sends
 * one of the two, so that the page knows without a request that a press of its own could not count.
 */
const documents = (): Plugin => ({
  name: "documents",
  apply: "build",
  enforce: "post",
  generateBundle(_, bundle) {
    const page = bundle["index.html"]
    if (page?.type !== "asset") throw new Error("The build has no index.html")
    page.source = String(page.source).replace(/\s+/g, " ").replaceAll("> <", "><")
    const source = page.source.replace("<html", "<html data-receipts")
    this.emitFile({ type: "asset", fileName: "receipts.html", source })
  },
})

export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [documents(), minifyPublic(), precompress()],
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
