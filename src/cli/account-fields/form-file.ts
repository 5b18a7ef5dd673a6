import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { accountFormShape, type Complaint, read } from '../../flow/catalog/shapes.js'
import type { AccountField } from '../../flow/map.js'

/** The list in a file, alone or as `custom_field_list`. Throws with everything that does not fit, by path. */
export async function readFormFile(file: string): Promise<AccountField[]> {
  const value = parse(file, await contentOf(file))
  const form = read(accountFormShape, Array.isArray(value) ? { custom_field_list: value } : value)
  if (form.kind === 'misfit') throw new Error(`${file} does not fit:\n${listed(form.complaints)}`)
  return form.value.custom_field_list
}

async function contentOf(file: string): Promise<string> {
  if (file === '-') return text(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new Error(`${file} cannot be read`, { cause })
  }
}

function parse(file: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    // What the parser says repeats the content.
    throw new Error(`${file}: expected JSON`)
  }
}

export function listed(complaints: readonly Complaint[]): string {
  return complaints.map(({ path, message }) => `  ${path}: ${message}`).join('\n')
}
