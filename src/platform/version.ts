import { readFileSync } from 'node:fs'

/** package.json is as far from src/platform as from dist/platform. */
export function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}
