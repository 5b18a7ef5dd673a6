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
  } catch (failure) {
    throw unparsed(file, failure)
  }
}

/** What the parser says and where, but for its quotation of the content: so it is not the cause either. */
function unparsed(file: string, failure: unknown): Error {
  const message = failure instanceof Error ? failure.message : ''
  const said = /^(?:Unexpected end of JSON input|[^"]* at position \d+)/.exec(message)?.[0] ?? 'Unexpected token'
  return new Error(`${file}: expected JSON (${said})`)
}

export function listed(complaints: readonly Complaint[]): string {
  return complaints.map(({ path, message }) => `  ${path}: ${message}`).join('\n')
}
