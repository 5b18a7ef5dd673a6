// Completes package-lock.json after `npm install`; with `--check`, fails when there is something to complete.
//
// npm leaves a package for another platform out of the lock when it could not look it up, and `npm ci` then refuses the
// lock everywhere. Such an entry is written here from what its parent asks for. It has no integrity: npm takes that
// from the registry on the platform that installs it.
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))
const added = missing(lock.packages)

if (process.argv.includes('--check')) {
  for (const [name] of added) console.error(`package-lock.json lacks ${name}: run npm run lock`)
  process.exitCode = added.length === 0 ? 0 : 1
} else if (added.length > 0) {
  const entries = [...Object.entries(lock.packages), ...added].sort(([a], [b]) => a.localeCompare(b, 'en'))
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`)
  console.log(`added ${added.length} packages for other platforms to package-lock.json`)
}

function missing(packages) {
  return Object.entries(packages).flatMap(([parent, { dev, optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !packages[`node_modules/${name}`] && !packages[`${parent}/node_modules/${name}`])
      .map(([name, version]) => [`node_modules/${name}`, entryOf(name, version, dev)]),
  )
}

function entryOf(name, version, dev) {
  const words = name.split('/').at(-1).split('-')
  const os = words.find((word) => /^(android|darwin|freebsd|linux|openharmony|win32)$/.test(word))
  const cpu = words.find((word) => /^(arm|arm64|ia32|ppc64|riscv64|s390x|x64)$/.test(word))
  if (!/^\d+\.\d+\.\d+/.test(version) || !os || !cpu) throw new Error(`cannot tell what ${name}@${version} is for`)
  const libc = words.flatMap((word) => (word.startsWith('musl') ? ['musl'] : word.startsWith('gnu') ? ['glibc'] : []))
  return { version, cpu: [cpu], ...(dev && { dev }), ...(libc.length > 0 && { libc }), optional: true, os: [os] }
}
