import { inWords } from './in-words.js'
import type { Outcome } from './run.js'

/** What a long form went through, for people. */
export function reportOf(outcomes: readonly Outcome[], story: string, skipped: readonly string[]): string {
  const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + count(outcome), 0)
  const lived = outcomes.flatMap(({ faults }) => faults)
  const names = [...new Set(lived.map(({ name }) => name))].sort()
  const rows = names.map((name) => {
    const those = lived.filter((fault) => fault.name === name)
    const longestS = Math.max(...those.map(({ from, to }) => to - from)) / 1000
    return `| ${name} | ${those.length} | ${longestS.toFixed(1)} s | ${those.reduce((total, { bites }) => total + bites, 0)} |`
  })
  return `# Faults

${outcomes.length} runs, ${sum(({ checks }) => checks)} checks, ${sum(({ calls }) => calls)} calls to Feishu, ${lived.length} faults: ${
    story === '' ? 'all promises kept.' : '**a promise was broken**, see below.'
  }

| fault | times | longest | felt |
|---|---|---|---|
${rows.join('\n')}
${skipped.map((each) => `\n${each}\n`).join('')}
## Runs

${outcomes.map((outcome) => `- ${inWords(outcome)}`).join('\n')}
${story === '' ? '' : `\n## What was broken\n\n\`\`\`\n${story}\n\`\`\`\n`}`
}
