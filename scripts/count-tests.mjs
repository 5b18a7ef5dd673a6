// Prints "passed failed skipped not-run" of a JSON report by vitest. What failed because a program is not on this
// machine is not run rather than failed; each is named on stderr.
import { readFileSync } from 'node:fs'

const [path, exitCode] = process.argv.slice(2)
const missingProgram = /spawn(?:Sync)? \S*(redis-server|openssl|chromium|promtool) ENOENT/
const counts = { passed: 0, failed: 0, skipped: 0, notRun: 0 }

for (const file of JSON.parse(readFileSync(path, 'utf8')).testResults) count(file)

// An error outside any test, such as an unhandled rejection, fails the run and no test.
if (exitCode !== '0' && counts.failed + counts.notRun === 0) counts.failed += 1
console.log(Object.values(counts).join(' '))

function count(file) {
  const tests = file.assertionResults
  const whole = missingProgram.exec(file.message ?? '')
  if (file.status === 'failed' && !tests.some(({ status }) => status === 'failed')) {
    // The file, or a hook of it, failed before its tests could.
    settle(whole, file.name)
  }
  for (const { status, fullName, failureMessages } of tests) {
    if (status === 'passed') counts.passed += 1
    else if (status === 'failed') settle(missingProgram.exec(failureMessages.join('\n')), `${file.name}: ${fullName}`)
    else {
      counts.skipped += 1
      console.error(`skipped: ${fullName}`)
    }
  }
}

function settle(missing, name) {
  counts[missing ? 'notRun' : 'failed'] += 1
  if (missing) console.error(`not run: ${name} (${missing[1]} is missing)`)
}
