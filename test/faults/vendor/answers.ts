import { gzipSync } from 'node:zlib'
import { json, type Mangling, mangled, raw } from './mangler.js'

type Answer = NonNullable<Mangling['answer']>

const bytes = (...values: number[]) => Buffer.from(values)
const typed = 'HTTP/1.1 201 Created\r\nContent-Type: application/json'

/** Answers that leave it open whether a POST took effect, whatever became of it. */
export const unclear: Record<string, Answer | undefined> = {
  'a reset': (socket) => void socket.resetAndDestroy(),
  'a connection that is closed without a word': (socket) => void socket.end(),
  'no answer in time': () => undefined,
  'a drip that never ends': (socket) => {
    socket.write(`${typed}\r\nContent-Length: 500\r\n\r\n{`)
    const drip = setInterval(() => socket.write(' '), 50)
    socket.on('close', () => clearInterval(drip))
  },
  '500': json(500, { error: 'sorry' }),
  '503 with Retry-After': json(503, '', '\r\nRetry-After: 0'),
  '409, another one is running': json(409, ''),
  '408': json(408, ''),
  '425': json(425, ''),
  'a proxy’s 502 in HTML': raw('HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html', '<html><h1>502</h1></html>'),
  'a proxy’s 504 in HTML': raw('HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html', '<html></html>'),
  '200 with a page of HTML': raw('HTTP/1.1 200 OK\r\nContent-Type: text/html', '<html>maintenance</html>'),
  'JSON that breaks off': mangled((body) => ({ head: typed, body: body.slice(0, -3) })),
  'fewer bytes than promised': mangled((body) => ({ head: `${typed}\r\nContent-Length: ${body.length + 9}`, body })),
  'two lengths': mangled((body) => ({ head: `${typed}\r\nContent-Length: ${body.length}\r\nContent-Length: 2`, body })),
  'a chunk that breaks off': raw(`${typed}\r\nTransfer-Encoding: chunked`, 'ff\r\n{"order_id"'),
  'an alert of TLS': (socket) => void socket.end(bytes(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28)),
  'the greeting of a mail server': (socket) => void socket.end('220 mail.example.com ESMTP\r\n'),
  noise: (socket) => void socket.end(bytes(...Array.from({ length: 300 }, (_, index) => (index * 73) % 256))),
  'nothing at all in a 201': raw(`${typed}\r\nContent-Length: 0`),
  '204': raw('HTTP/1.1 204 No Content'),
  '202 without a number': json(202, {}),
  null: json(201, 'null'),
  'a list': json(201, '[]'),
  'a number that is no text': json(201, { order_id: 7 }),
  'an empty number': json(201, { order_id: '' }),
  'a number with control characters': json(201, { order_id: 'V\u0000-1' }),
  'a number of 300 characters': json(201, { order_id: 'V'.repeat(300) }),
  'a number that is a step in a path': json(201, { order_id: '..' }),
  'a redirect': json(307, '', '\r\nLocation: /orders/V-1'),
  'a redirect after a POST': json(303, '', '\r\nLocation: /orders/V-1'),
  'gzip that nobody asked for': mangled((body) => ({
    head: `${typed}\r\nContent-Encoding: gzip`,
    body: gzipSync(body),
  })),
  'a bomb of gzip': raw(`${typed}\r\nContent-Encoding: gzip`, gzipSync(Buffer.alloc(64 * 1024 * 1024))),
  'UTF-16': mangled((body) => ({ head: typed, body: Buffer.from(body, 'utf16le') })),
  'bytes that are no UTF-8': raw(
    typed,
    Buffer.concat([Buffer.from('{"order_id":"'), bytes(0xe9, 0xff), Buffer.from('"}')]),
  ),
  'more than 5 MiB': raw(typed, Buffer.alloc(6 * 1024 * 1024, 0x20)),
  'a million brackets': raw(typed, '['.repeat(1_000_000)),
}

/** Answers that are odd and say all that is needed. */
export const odd: Record<string, Answer | undefined> = {
  'HTTP/1.0 without a length': mangled((body) => ({ head: 'HTTP/1.0 201 Created', body })),
  'no length, the end is the end': mangled((body) => ({ head: `${typed}\r\nConnection: close`, body })),
  'a type of text': mangled((body) => ({ head: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin1', body })),
  'a mark of byte order': mangled((body) => ({ head: typed, body: `\uFEFF${body}` })),
  'more fields than expected': mangled((body) => ({
    head: typed,
    body: JSON.stringify({ ...(JSON.parse(body) as object), deep: [[[[{}]]]], price: 1e308 }),
  })),
  'an early hint before it': mangled((body) => ({
    head: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${typed}`,
    body,
  })),
  'a cookie': mangled((body) => ({ head: `${typed}\r\nSet-Cookie: session=1; Path=/`, body })),
  '299': mangled((body) => ({ head: 'HTTP/1.1 299 Odd', body })),
}
