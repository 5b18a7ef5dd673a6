import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerQuestions } from '../support/answer.js'
import { wordsOf } from './words.js'

/* A vendor that answers from memory and counts. */

export interface Asked {
  calls: number
  orders: number
}

const asked: Asked = { calls: 0, orders: 0 }
const capabilities = JSON.stringify({ batch: true, changes: false, tripartite: false })

const server = createServer((request, response) => {
  const text = answerTo(request.url ?? '')
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}).listen(0, '127.0.0.1', () =>
  answerQuestions(
    { url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked },
    async () => void server.close(),
  ),
)
server.keepAliveTimeout = 120_000

function answerTo(path: string): string {
  if (path === '/capabilities') return capabilities
  const many = path.startsWith('/orders?ids=')
  const ids = path.slice(many ? '/orders?ids='.length : '/orders/'.length).split(',')
  asked.calls += 1
  asked.orders += ids.length
  const words = ids.map(wordsOf).join(',')
  return many ? `{"orders":[${words}]}` : words
}
