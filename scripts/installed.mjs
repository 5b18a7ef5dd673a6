// Succeeds when node_modules is what package-lock.json says; else prints what is not, and fails.
import { readFile } from 'node:fs/promises'

const read = async (path) => {
  const text = await readFile(new URL(`../${path}`, import.meta.url), 'utf8').catch(() => '{}')
  return JSON.parse(text).packages ?? {}
}
const wanted = await read('package-lock.json')
// npm writes it last, when everything else is in place.
const present = await read('node_modules/.package-lock.json')

const reason = difference()
if (reason !== undefined) {
  console.log(reason)
  process.exitCode = 1
}

function difference() {
  if (Object.keys(present).length === 0) return 'nothing is installed'
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    const found = present[path]
    // What is optional may be for another platform.
    if (path === '' || (found === undefined && optional)) continue
    if (found?.version !== version) return `${path} is ${found?.version ?? 'missing'}, not ${version}`
  }
  const extra = Object.keys(present).find((path) => !(path in wanted))
  return extra && `${extra} is not in package-lock.json`
}
