import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { RequestHandler } from 'express'

interface Asset {
  /** Carries a hash of the content, so that a browser may keep it for ever. */
  href: string
  type: string
  content: Buffer
}

const resolveModule = createRequire(import.meta.url).resolve
const own = (name: string) => fileURLToPath(new URL(`./assets/${name}`, import.meta.url))
const js = 'text/javascript; charset=utf-8'
const css = 'text/css; charset=utf-8'

/** Everything that the pages load; nothing comes from elsewhere. */
export const assets = {
  style: load('console.css', css, own('console.css')),
  script: load('console.js', js, own('console.js')),
  htmx: load('htmx.js', js, resolveModule('htmx.org/dist/htmx.min.js')),
  charts: load('charts.js', js, own('charts.js')),
  chart: load('uplot.js', js, resolveModule('uplot/dist/uPlot.iife.min.js')),
  chartStyle: load('uplot.css', css, resolveModule('uplot/dist/uPlot.min.css')),
} as const satisfies Record<string, Asset>

function load(name: string, type: string, path: string): Asset {
  const content = readFileSync(path)
  const hash = createHash('sha256').update(content).digest('base64url').slice(0, 12)
  return { href: `/console/assets/${hash}/${name}`, type, content }
}

const byHref = new Map<string, Asset>(Object.values(assets).map((asset) => [asset.href, asset]))

export const serveAsset: RequestHandler = (request, response, next) => {
  const asset = byHref.get(`${request.baseUrl}${request.path}`)
  if (asset === undefined) return next()
  response
    .set({ 'Content-Type': asset.type, 'Cache-Control': 'public, max-age=31536000, immutable' })
    .send(asset.content)
}
