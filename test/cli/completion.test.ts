import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'

const execute = promisify(execFile)

async function script(shell: string): Promise<string> {
  const out: string[] = []
  expect(await runCli(['completion', shell], { out: (text) => void out.push(text), err: () => undefined })).toBe(0)
  return out.join('')
}

describe('bgc completion', () => {
  it.each([
    ['bgc ord', ['orders']],
    ['bgc orders re', ['retry', 'resend-result', 'resend-stage']],
    ['bgc orders ls --sta', ['--state']],
    ['bgc doctor --e', ['--event-url']],
  ])('completes %s in bash', async (line, expected) => {
    const words = line.split(' ')
    const ask = `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _bgc; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await execute('bash', ['-c', `${await script('bash')}\n${ask}`])
    expect(stdout.trim().split('\n').toSorted()).toEqual(expected.toSorted())
  })

  it('has every command for zsh and fish, too', async () => {
    for (const shell of ['zsh', 'fish']) {
      const text = await script(shell)
      for (const command of ['orders', 'doctor', 'keys', 'backup', 'restore']) expect(text).toContain(command)
    }
  })

  it('refuses other shells as wrong usage', async () => {
    expect(await runCli(['completion', 'csh'], { out: () => undefined, err: () => undefined })).toBe(64)
  })
})
