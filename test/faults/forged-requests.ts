import { randomBytes } from 'node:crypto'
import { head } from '../support/raw-http.js'
import { defaultPath } from '../support/receiving.js'
import { honestEvent } from './forged-events.js'
import { type Header, type Hostile, requestOf } from './hostile.js'

/** Requests that are wrong as HTTP or for this path, most of them around an event that is right. */

const entries = () => {
  const { push } = honestEvent()
  return { body: push.body, headers: Object.entries(push.headers) as Header[] }
}
const is = (status: number | null) => (name: string, bytes: Buffer | string) => ({
  name,
  status,
  bytes: Buffer.from(bytes),
})
const chunked = (body: Buffer, trailers = '') =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from(`\r\n0\r\n${trailers}\r\n`)])

/** An honest event under other circumstances. */
function around(extra: Header[], { method = 'POST', path = defaultPath, version = 'HTTP/1.1' } = {}): Buffer {
  const { body, headers } = entries()
  const lines = head(path, [...headers, ...extra, ['Content-Length', String(body.length)]], method)
  return Buffer.concat([Buffer.from(lines.replace('HTTP/1.1', version)), body])
}

export function forgedBodies(): Hostile[] {
  const utf16 = Buffer.from('{"encrypt":"x"}', 'utf16le')
  const texts: Array<[string, Buffer | string]> = [
    ['empty', ''],
    ['no JSON', 'encrypt=x'],
    ['XML', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['two documents', '{"encrypt":"x"}{"encrypt":"y"}'],
    ['a comment', '{"encrypt":"x"}//'],
    ['single quotes', "{'encrypt':'x'}"],
    ['UTF-16', utf16],
    ['UTF-16 swapped', Buffer.from(utf16).swap16()],
    ['a byte order mark', '\ufeff{"encrypt":"x"}'],
    ['random bytes', randomBytes(4096)],
    ['NUL bytes', Buffer.alloc(4096)],
    ['a NUL behind it', '{"encrypt":"x"}\0'],
    ['arrays of half a million levels', '['.repeat(500_000)],
    ['objects of a hundred thousand levels, cut off', '{"a":'.repeat(100_000)],
    ['a list', '[{"encrypt":"x"}]'],
  ]
  const { body } = entries()
  return [
    ...texts.map(([name, text]) => is(400)(`a body: ${name}`, requestOf(text))),
    is(401)('a body: not UTF-8 in a string', requestOf(Buffer.from('{"encrypt":"\xff\xfe"}', 'latin1'))),
    is(401)('a body: encrypt twice, the last is no text', requestOf('{"encrypt":"x","encrypt":1}')),
    is(413)('a body: one byte too much', requestOf(Buffer.alloc(1_048_577, 0x20))),
    is(413)('a body: chunks of too much', chunks(Buffer.alloc(1_048_577, 0x20))),
    is(413)('a body: a length beyond any number', head(defaultPath, [['Content-Length', '9'.repeat(18)]])),
    is(408)('a body: shorter than its length', `${head(defaultPath, [['Content-Length', '9999']])}{"encrypt`),
    is(400)(
      'a body: longer than its length',
      Buffer.concat([Buffer.from(head(defaultPath, [['Content-Length', '9']])), body]),
    ),
    ...['gzip', 'GZIP', 'br', 'zstd', 'x', '', 'identity, gzip', 'aes128gcm'].map((encoding) =>
      is(415)(`a content encoding: ${JSON.stringify(encoding)}`, around([['Content-Encoding', encoding]])),
    ),
    is(415)(
      'a content encoding twice',
      around([
        ['Content-Encoding', 'identity'],
        ['Content-Encoding', 'identity'],
      ]),
    ),
  ]
}

function chunks(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(head(defaultPath, [['Transfer-Encoding', 'chunked']])), chunked(body)])
}

export function forgedTargets(): Hostile[] {
  const paths = [
    '/webhooks/feishu',
    '/webhooks/feishu/',
    '/webhooks/feishu//events',
    '/webhooks/feishu/events/',
    '/webhooks/feishu/EVENTS',
    '/webhooks/feishu/__proto__/events',
    '/webhooks/feishu/constructor/events',
    '/webhooks/feishu/cli%5ffirst/events',
    '/webhooks/feishu/cli_first%00/events',
    '/webhooks/feishu/%2e%2e/feishu/events',
    '/webhooks/feishu/../feishu/events',
    '/webhooks/feishu/./events',
    '/webhooks/feishu/cli_first/events;a=b',
    '/webhooks/feishu/cli_first\\events',
    '/webhooks/feishu/%',
    '/webhooks%2ffeishu%2fevents',
    '//webhooks/feishu/events',
    '/Webhooks/Feishu/Events',
    '*',
    'http://other.example.com/webhooks/feishu/events',
    'https://user:password@127.0.0.1/webhooks/feishu/events',
    `/webhooks/feishu/${'a/'.repeat(4000)}events`,
    `/webhooks/feishu/${'a'.repeat(8000)}/events`,
  ]
  const methods = ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'PURGE', 'SOURCE']
  return [
    ...paths.map((path) => is(404)(`the path ${path.slice(0, 60)}`, around([], { path }))),
    ...methods.map((method) => is(405)(`the method ${method}`, around([], { method }))),
  ]
}

export function forgedHttp(): Hostile[] {
  const { body, headers } = entries()
  const length = String(body.length)
  const withHead = (lines: string) => Buffer.concat([Buffer.from(`${lines}\r\n\r\n`), body])
  const first = `POST ${defaultPath} HTTP/1.1`
  const lines = (...own: string[]) => [first, 'Host: x', ...own].join('\r\n')
  const raw = is(400)
  const trailers = headers.filter(([name]) => name.startsWith('X-')).map(([name, value]) => `${name}: ${value}\r\n`)
  const te = Buffer.from(head(defaultPath, [['Transfer-Encoding', 'chunked']]))
  return [
    raw('no host', withHead(`${first}\r\nContent-Length: ${length}`)),
    raw('two lengths', withHead(lines(`Content-Length: ${length}`, 'Content-Length: 1'))),
    raw('two equal lengths', withHead(lines(`Content-Length: ${length}`, `Content-Length: ${length}`))),
    raw('a list of lengths', withHead(lines(`Content-Length: ${length}, ${length}`))),
    raw('a length with a sign', withHead(lines(`Content-Length: +${length}`))),
    raw('a negative length', withHead(lines('Content-Length: -1'))),
    raw('a hexadecimal length', withHead(lines('Content-Length: 0x10'))),
    raw('a length and chunks', withHead(lines(`Content-Length: ${length}`, 'Transfer-Encoding: chunked'))),
    raw('chunks and a length', withHead(lines('Transfer-Encoding: chunked', `Content-Length: ${length}`))),
    raw('an unknown transfer encoding', withHead(lines('Transfer-Encoding: xchunked'))),
    raw('chunks that are not last', withHead(lines('Transfer-Encoding: chunked, gzip'))),
    raw('white space before a colon', withHead(lines(`Content-Length : ${length}`))),
    raw('a folded header', withHead(lines(`X-A: b`, ` c`, `Content-Length: ${length}`))),
    raw('a NUL in a header', withHead(lines('X-A: \0', `Content-Length: ${length}`))),
    raw('a header without a name', withHead(lines(': a', `Content-Length: ${length}`))),
    raw('line feeds alone', withHead(lines(`Content-Length: ${length}`).replaceAll('\r\n', '\n'))),
    raw('a method in lower case', withHead(lines(`Content-Length: ${length}`).replace('POST', 'post'))),
    raw('an unknown version', withHead(lines().replace('HTTP/1.1', 'HTTP/9.9'))),
    raw('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    raw('TLS', Buffer.from('16030100f1010000ed0303', 'hex')),
    raw('random bytes', Buffer.concat([Buffer.from([0x80]), randomBytes(400)])),
    raw('a chunk size beyond any number', Buffer.concat([te, Buffer.from(`${'f'.repeat(20)}\r\n`)])),
    raw('a chunk size that is none', Buffer.concat([te, Buffer.from('xyz\r\n')])),
    raw('a chunk longer than its size', Buffer.concat([te, Buffer.from('2\r\nabcdef\r\n0\r\n\r\n')])),
    is(413)('endless chunk extensions', Buffer.concat([te, Buffer.from(`1;${'a'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`)])),
    is(401)('a signature in trailers', Buffer.concat([te, chunked(body, trailers.join(''))])),
    is(431)('a large header', requestOf('{}', [['X-A', 'a'.repeat(20_000)]])),
    is(431)(
      'many headers',
      requestOf(
        '{}',
        Array.from({ length: 3000 }, (_, at): Header => [`X-${at}`, 'a']),
      ),
    ),
    is(431)('a long path', requestOf('{}', [], `/webhooks/feishu/events?${'a'.repeat(20_000)}`)),
    is(431)('large trailers', Buffer.concat([te, chunked(body, `X-A: ${'a'.repeat(20_000)}\r\n`)])),
    is(417)('an expectation that nobody meets', requestOf('{}', [['Expect', 'a miracle']])),
    is(null)('CONNECT', 'CONNECT 127.0.0.1:5432 HTTP/1.1\r\nHost: x\r\n\r\n'),
  ]
}

/** Unusual, and right all the same: 200. */
export function oddButHonest(): Hostile[] {
  const { body, headers } = entries()
  const te = Buffer.from(head(defaultPath, [...headers, ['Transfer-Encoding', 'chunked']]))
  const ok = is(200)
  return [
    ok('trailers that mean nothing', Buffer.concat([te, chunked(body, 'X-Lark-Signature: no\r\nX-A: b\r\n')])),
    ok(
      'a wish to upgrade',
      around([
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ]),
    ),
    ok('an expectation of 100', around([['Expect', '100-continue']])),
    ok('HTTP/1.0', around([], { version: 'HTTP/1.0' })),
    ok('another content type', around([['Content-Type', 'text/html; charset=utf-7']])),
    ok(
      'another host',
      around([
        ['X-Forwarded-Host', 'evil.example.com'],
        ['X-HTTP-Method-Override', 'DELETE'],
      ]),
    ),
    ok('a query', around([], { path: `${defaultPath}?a=%00&__proto__=1` })),
    ok('the identity encoding', around([['Content-Encoding', 'identity']])),
    ok('many cookies', around([['Cookie', 'a=b; '.repeat(1500)]])),
  ]
}
