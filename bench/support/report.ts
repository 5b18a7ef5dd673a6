import { writeFile } from 'node:fs/promises'

/** One part of a suite: a table, what was aimed at, and what a reader should know. */
export interface Section {
  title: string
  head: readonly string[]
  rows: ReadonlyArray<readonly string[]>
  aims: readonly Aim[]
  notes?: readonly string[]
  /** Ratios that the gate watches: wide enough for another machine and the quick form. */
  gates?: readonly Gate[]
}

export interface Aim {
  what: string
  figure: string
  met: boolean
}

export interface Gate {
  what: string
  ratio: number
  least?: number
  most?: number
}

export function textOf({ title, head, rows, aims, notes = [] }: Section): string {
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  const verdicts = aims.map(({ what, figure, met }) => `- ${met ? 'met' : '**missed**'}: ${what}: ${figure}`)
  const blocks = [`## ${title}`, table.join('\n'), verdicts.join('\n'), ...notes]
  return blocks.filter((block) => block !== '').join('\n\n')
}

export async function writeReport(name: string, introduction: string, sections: readonly Section[]): Promise<void> {
  const text = [introduction, ...sections.map(textOf)].join('\n\n')
  await writeFile(new URL(`../report-${name}.md`, import.meta.url), `${text}\n`)
}
