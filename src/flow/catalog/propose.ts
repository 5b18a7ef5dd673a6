/**
 * A key or id instead of one that Feishu never takes again: the next version of it, `degree_v2` after `degree`, that
 * nothing has or had (contract §3.5).
 */
export function propose(key: string, taken: ReadonlySet<string>, longest: number): string {
  const [, base = key, version = '1'] = /^(.*)_v(\d{1,6})$/s.exec(key) ?? []
  for (let next = Number(version) + 1; ; next += 1) {
    const ending = `_v${next}`
    const proposed = `${cut(base, longest - ending.length)}${ending}`
    if (!taken.has(proposed)) return proposed
  }
}

/** Not through the middle of a character. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')
}
