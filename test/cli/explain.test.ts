import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { explain } from '../../src/cli/explain.js'

const system = (fields: object) => Object.assign(new Error('raw'), fields)

it.each([
  [system({ syscall: 'listen', code: 'EADDRINUSE', port: 3000, address: '::' }), /^port 3000 on :: is taken/],
  [system({ syscall: 'listen', code: 'EACCES', port: 80, address: '0.0.0.0' }), /^port 80 on 0.0.0.0 may not be used/],
  [
    system({ syscall: 'connect', code: 'ECONNREFUSED', port: 5432, address: '10.0.0.1' }),
    /^the database at 10.0.0.1:5432/,
  ],
  [new AggregateError([system({ code: 'ECONNREFUSED', port: 5432, address: '::1' })]), /^the database at ::1:5432/],
  [
    system({ syscall: 'getaddrinfo', code: 'ENOTFOUND', hostname: 'db.invalid' }),
    /^the database at db.invalid .*no host/,
  ],
  [
    system({ severity: 'FATAL', code: '28P01' }),
    /^the database refuses \(28P01\): raw; check the user and the password/,
  ],
  [system({ severity: 'ERROR', code: '99999' }), /^the database refuses \(99999\): raw$/],
  [new Error('outer', { cause: new Error('inner') }), /^outer \(inner\)$/],
  [new Error('says inner itself', { cause: new Error('inner') }), /^says inner itself$/],
  ['text', /^It failed: text$/],
])('explains %s', (failure, expected) => {
  expect(explain(failure)).toMatch(expected)
  expect(explain(failure)).not.toContain('\n')
})

it('knows the error of a port that is really taken', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  const address = holder.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const failure = await new Promise((resolve) => createServer().once('error', resolve).listen(port, '127.0.0.1'))
  expect(explain(failure)).toBe(`port ${port} on 127.0.0.1 is taken: stop what listens there, or choose another port`)
  holder.close()
})
