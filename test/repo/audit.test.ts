import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/audit.mjs', import.meta.url))

/** The script against a registry that answers like this. */
async function audit(registry: RequestListener): Promise<{ code: number; said: string }> {
  const server = createServer(registry).listen(0, '127.0.0.1')
  const cache = mkdtempSync(join(tmpdir(), 'bgc-audit-'))
  try {
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const env = { ...process.env, npm_config_registry: url, npm_config_cache: cache, npm_config_noproxy: '127.0.0.1' }
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    let said = ''
    child.stdout.on('data', (part: Buffer) => {
      said += String(part)
    })
    const [code] = await once(child, 'close')
    return { code, said: said.trim() }
  } finally {
    server.close()
    server.closeAllConnections()
    rmSync(cache, { recursive: true, force: true })
  }
}

/** Says this about one package; of others it knows nothing. */
function knows(name: string, severity: string): RequestListener {
  const url = 'https://example.com/advisory'
  const advisory = {
    id: 1,
    url,
    title: 'Something bad',
    severity,
    vulnerable_versions: '>=0',
    cwe: [],
    cvss: { score: 0 },
  }
  return (request, response) => {
    const asked = request.url === '/-/npm/v1/security/advisories/bulk'
    response.writeHead(asked ? 200 : 404, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(asked ? { [name]: [advisory] } : {}))
  }
}

it.each([
  ['express', 'critical', 1],
  ['express', 'high', 1],
  ['express', 'moderate', 0],
  ['vitest', 'critical', 1],
  ['vitest', 'high', 0],
])('of %s, a vulnerability that is %s ends with %i', async (name, severity, code) => {
  const { code: ended, said } = await audit(knows(name, severity))
  expect([ended, said.includes('Something bad https://example.com/advisory')]).toEqual([code, code === 1])
})

it('is told apart from a registry that does not answer such questions', async () => {
  for (const status of [404, 405, 500]) {
    const { code, said } = await audit((_request, response) => response.writeHead(status).end())
    expect([code, said]).toEqual([75, expect.stringContaining('the registry cannot be asked')])
  }
  const { code } = await audit((request) => request.socket.destroy())
  expect(code).toBe(75)
})
