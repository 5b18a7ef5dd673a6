/** A table for people; texts of the world outside cannot move the cursor of their terminal. */
export function renderList(columns: readonly string[], items: ReadonlyArray<Record<string, unknown>>): string {
  if (items.length === 0) return 'none\n'
  const rows = [
    columns.map((name) => name.toUpperCase()),
    ...items.map((item) => columns.map((name) => cell(item[name]))),
  ]
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => widthOf(row[index] ?? ''))))
  const line = (row: readonly string[]) =>
    row
      .map((text, index) => text + ' '.repeat((widths[index] ?? 0) - widthOf(text)))
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}

/** An object as indented lines; what is empty is left out. */
export function renderWhole(value: unknown): string {
  return `${linesOf(value, '').join('\n')}\n`
}

function linesOf(value: unknown, indent: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${indent}${cell(value)}`]
  const entries = Object.entries(value).filter(([, each]) => each !== undefined && !isEmpty(each))
  return entries.flatMap(([name, each]) => {
    const head = Array.isArray(value) ? `${indent}-` : `${indent}${clean(name)}:`
    if (typeof each !== 'object' || each === null) return [`${head} ${cell(each)}`]
    return [head, ...linesOf(each, `${indent}  `)]
  })
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0

function cell(value: unknown): string {
  if (value === null || value === undefined) return '–'
  if (Array.isArray(value)) return value.map(cell).join(',') || '–'
  return clean(typeof value === 'string' ? value : JSON.stringify(value))
}

export const clean = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '�')

/** Han, kana, hangul and full-width forms take two columns of a terminal. */
function widthOf(text: string): number {
  const wide = text.match(
    /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/gu,
  )
  return [...text].length + (wide?.length ?? 0)
}
