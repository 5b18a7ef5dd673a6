import { open } from 'node:fs/promises'
import { readLines } from '../import/lines.js'

/** The ids of the command line and of a file, each once. Throws with every line that is no id, before anything is erased. */
export async function readIds(given: readonly string[], file: string | undefined): Promise<string[]> {
  const complaints: string[] = []
  const ids = new Set<string>()
  const take = (text: string, where: string) => {
    if (/^[0-9]{1,32}$/.test(text)) ids.add(text)
    else complaints.push(`${where}: expected an id of 1 to 32 digits`)
  }
  for (const [index, id] of given.entries()) take(id, `argument ${index + 1}`)
  if (file !== undefined) {
    for await (const line of readLines(await openBytes(file))) {
      if ('problem' in line) complaints.push(`line ${line.number}: ${line.problem}`)
      else take(line.text.trim(), `line ${line.number}`)
    }
  }
  if (complaints.length > 0) throw new Error(`nothing was erased:\n${complaints.join('\n')}`)
  return [...ids]
}

async function openBytes(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === '-') return process.stdin
  try {
    return (await open(file)).createReadStream()
  } catch (cause) {
    throw new Error(`${file} cannot be read`, { cause })
  }
}
