import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** The machine and the versions, as a list. */
export function describeMachine(postgres: string): string {
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`
  const packages = ['pg', 'ioredis', 'bullmq', 'rate-limiter-flexible', '@larksuiteoapi/node-sdk', 'undici']
  return [
    `- machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${memory}, ${platform()} ${release()} ${arch()}`,
    `- Node ${process.versions.node}, PostgreSQL ${postgres}, Redis ${redisVersion()}, all on this machine`,
    `- ${packages.map((name) => `${name} ${versionOf(name)}`).join(', ')}`,
  ].join('\n')
}

/** How busy the machine was with anything, as the kernel says it. */
export function busy(): string {
  return loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')
}

function redisVersion(): string {
  return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown'
}

function versionOf(name: string): string {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string> | undefined>
  return dependencies[name] ?? devDependencies[name] ?? String(createRequire(import.meta.url)(`${name}/package.json`))
}
