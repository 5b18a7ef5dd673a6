import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RedisPlace } from '../../src/platform/queue/redis-place.js'
import { freePort } from '../support/free-port.js'
import { program } from '../support/programs.js'
import { type RedisServer, startRedisServer, untilHolds } from '../support/redis-server.js'

/* A cluster and a primary with its sentinel behind TLS, of one server each, with a certificate for a name and no address. */

const asker = program('test/support/asks-redis.ts')
const dir = mkdtempSync(join(tmpdir(), 'bgc-redis-tls-'))
const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
const started: RedisServer[] = []
let places: RedisPlace[]

beforeAll(async () => {
  const wanted =
    '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis -addext subjectAltName=DNS:localhost'
  execFileSync('openssl', ['req', '-x509', '-keyout', key, '-out', cert, ...wanted.split(' ')], { stdio: 'ignore' })
  places = await Promise.all([startCluster(), startSentinel()])
})
afterAll(async () => {
  await Promise.all(started.map((server) => server.stop()))
  rmSync(dir, { recursive: true })
})

async function startCluster(): Promise<RedisPlace> {
  const [port, busPort] = [await freePort(), await freePort()]
  const announced = { 'cluster-announce-hostname': 'localhost', 'cluster-preferred-endpoint-type': 'hostname' }
  const options = {
    ...tlsOn(port),
    'tls-cluster': 'yes',
    'cluster-enabled': 'yes',
    'cluster-port': busPort,
    ...announced,
  }
  const server = await start({ options: () => options })
  await server.client.cluster('ADDSLOTSRANGE', 0, 16_383)
  await untilHolds('the cluster is ok', async () => (await server.client.cluster('INFO')).includes('cluster_state:ok'))
  return { kind: 'cluster', nodes: [{ host: 'localhost', port }], tls: true }
}

async function startSentinel(): Promise<RedisPlace> {
  const [port, sentinelPort] = [await freePort(), await freePort()]
  await start({ options: () => tlsOn(port) })
  const names = ['sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes']
  const lines = [...names, `sentinel monitor bgc localhost ${port} 1`]
  await start({ kind: 'sentinel', options: () => tlsOn(sentinelPort), lines })
  return { kind: 'sentinel', sentinels: [{ host: 'localhost', port: sentinelPort }], name: 'bgc', tls: true }
}

/** Its other port is for the test's own questions. */
function tlsOn(port: number) {
  const files = { 'tls-cert-file': cert, 'tls-key-file': key, 'tls-ca-cert-file': cert }
  return { 'tls-port': port, ...files, 'tls-auth-clients': 'no', 'tls-replication': 'yes' }
}

async function start(how: Parameters<typeof startRedisServer>[0]): Promise<RedisServer> {
  const server = await startRedisServer(how)
  started.push(server)
  return server
}

async function ask(trusted?: string): Promise<unknown> {
  const env = { PATH: process.env['PATH'], ...(trusted !== undefined && { NODE_EXTRA_CA_CERTS: trusted }) }
  const args = [asker, JSON.stringify(places)]
  return JSON.parse((await promisify(execFile)(process.execPath, args, { env, timeout: 20_000 })).stdout)
}

it('a cluster and sentinels are reached over TLS, by the names that they tell, and only with a certificate that is trusted', async () => {
  const [trusting, others] = await Promise.all([ask(cert), ask()])
  expect(trusting).toEqual(['lost', 'lost'])
  expect(others).toEqual(Array(2).fill(expect.stringContaining('Connection is closed')))
})
