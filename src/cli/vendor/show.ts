import type { CheckResult, conformanceChecks } from '../../conformance/index.js'
import type { Io } from '../io.js'

const marks = { ok: 'ok      ', warning: 'warning ', failed: 'FAILED  ', skipped: '-       ' } as const

/** One line for a check, and two more for what was expected where. */
export function show(result: CheckResult, io: Io): void {
  const begin = `${marks[result.outcome]}${result.check}`
  switch (result.outcome) {
    case 'ok':
      io.out(`${begin}${result.detail === undefined ? '' : `: ${result.detail}`}\n`)
      return
    case 'skipped':
      io.out(`${begin}: skipped: ${result.why}\n`)
      return
    case 'warning':
    case 'failed':
      io.out(
        `${begin}: ${result.about}\n        expected ${result.expected}\n        got ${result.got}\n        → ${result.see}\n`,
      )
  }
}

export function showSum(results: readonly CheckResult[], io: Io): void {
  const count = (outcome: CheckResult['outcome']) => results.filter((result) => result.outcome === outcome).length
  io.out(`${count('ok')} ok, ${count('warning')} warnings, ${count('failed')} failed, ${count('skipped')} skipped\n`)
}

export function showList(checks: typeof conformanceChecks, io: Io): void {
  const widest = Math.max(...checks.map(({ name }) => name.length))
  for (const { name, about } of checks) io.out(`${name.padEnd(widest)}  ${about}\n`)
}
