import { describe, expect, it } from 'vitest'
import { createSessions, isCsrfOf, sessionMs } from '../../src/operate/console/session.js'

describe('a session', () => {
  const keys = [
    { name: 'ops', secret: 'a-secret-of-24-characters', scopes: ['read'] as const },
    { name: 'dev', secret: 'b-secret-of-24-characters', scopes: ['read'] as const },
  ]
  const [ops] = keys
  if (ops === undefined) throw new Error('no key')
  const now = Date.UTC(2026, 0, 1)

  it('ends after its time, with its key, and with a change of the secret', () => {
    const cookie = createSessions(keys).begin(ops, now)
    expect(createSessions(keys).find(cookie, now + sessionMs - 1)?.key.name).toBe('ops')
    expect(createSessions(keys).find(cookie, now + sessionMs)).toBeUndefined()
    expect(createSessions(keys).find(cookie, now - 1)).toBeUndefined()
    expect(createSessions([{ ...ops, secret: 'another-secret-24-characters' }]).find(cookie, now)).toBeUndefined()
    expect(createSessions(keys.slice(1)).find(cookie, now)).toBeUndefined()
  })

  it('cannot be made up: each changed character is refused', () => {
    const sessions = createSessions(keys)
    const cookie = sessions.begin(ops, now)
    for (let index = 0; index < cookie.length; index += 1) {
      const changed = `${cookie.slice(0, index)}${cookie[index] === 'A' ? 'B' : 'A'}${cookie.slice(index + 1)}`
      const found = sessions.find(changed, now)
      // The last character of base64url may hold bits that stand for nothing.
      if (index !== cookie.length - 1) expect(found, `character ${index}`).toBeUndefined()
    }
    for (const wrong of ['', '.', 'a.b', `${cookie}.x`, 'null', undefined]) {
      expect(sessions.find(wrong, now)).toBeUndefined()
    }
  })

  it('has a token of its own', () => {
    const sessions = createSessions(keys)
    const [one, two] = [sessions.find(sessions.begin(ops, now), now), sessions.find(sessions.begin(ops, now), now)]
    if (one === undefined || two === undefined) throw new Error('no session')
    expect(isCsrfOf(one, one.csrf)).toBe(true)
    expect(isCsrfOf(one, two.csrf)).toBe(false)
    expect(isCsrfOf(one, undefined)).toBe(false)
  })
})
