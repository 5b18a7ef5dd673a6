import type { Complaint } from './shapes.js'

/**
 * What does not fit between the members of a catalog: ids and keys that are there twice, options where the type of a
 * field takes none or has to have some. Looks at what came as it came, so that it is said together with all else.
 */
export function complaintsAcross(value: unknown): Complaint[] {
  return [
    ...repeatedIn(value, 'packages', 'id'),
    ...repeatedIn(value, 'additional_items', 'id'),
    ...['custom_fields', 'custom_field_list'].flatMap((name) => [
      ...repeatedIn(value, name, 'key'),
      ...membersOf(value, name).flatMap((field, index) => optionsOf(field, `${name}.${index}`)),
    ]),
  ]
}

function optionsOf(field: unknown, path: string): Complaint[] {
  const type = memberOf(field, 'type')
  const options = memberOf(field, 'options')
  if (typeof type !== 'string') return []
  const isChoice = type === 'select' || type === 'multiselect'
  const complain = (message: string) => [{ path: `${path}.options`, message }]
  if (!isChoice)
    return options === undefined ? [] : complain('expected none, since the type is neither select nor multiselect')
  if (options === undefined || (Array.isArray(options) && options.length === 0))
    return complain(`expected options, since the type is ${type}`)
  return repeatedIn(field, 'options', 'key').map((each) => ({ ...each, path: `${path}.${each.path}` }))
}

function repeatedIn(value: unknown, name: string, by: 'id' | 'key'): Complaint[] {
  const firsts = new Map<string, number>()
  return membersOf(value, name).flatMap((each, index) => {
    const id = memberOf(each, by)
    if (typeof id !== 'string') return []
    const first = firsts.get(id)
    if (first === undefined) firsts.set(id, index)
    if (first === undefined) return []
    return [{ path: `${name}.${index}.${by}`, message: `expected another ${by} than in ${name}.${first}` }]
  })
}

function membersOf(value: unknown, name: string): unknown[] {
  const list = memberOf(value, name)
  return Array.isArray(list) ? list : []
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}
