import type { Flag } from '../verb.js'

export const own = [{ name: 'id', shown: '<id>' }]
export const filter = (name: string, about: string, values?: readonly string[]): Flag => ({
  flag: `--${name.replaceAll('_', '-')} <${values === undefined ? 'text' : 'name'}>`,
  about,
  into: 'query',
  name,
  ...(values && { values }),
})
export const paging: readonly Flag[] = [
  { flag: '--limit <n>', about: 'how many, 1 to 200', into: 'query', name: 'limit' },
  { flag: '--cursor <text>', about: 'what an earlier page ended with', into: 'query', name: 'cursor' },
]
export const tenant = filter('tenant_key', 'of one tenant')
