import { type Catalog, type Read, read, someCatalogShape } from './shapes.js'

/** Members of the vendor's catalog that have a meaning; what else is there is ignored, and null counts as left out. */
interface Members {
  [name: string]: Members | null
}

const label: Members = { zh_cn: null, en_us: null }
const item: Members = { id: null, name: null, description: null }
const option: Members = { key: null, name: label }
const field: Members = { type: null, key: null, name: label, is_required: null, description: label, options: option }
const catalog: Members = { packages: item, additional_items: item, custom_fields: field }

/** What a vendor's answer to a binding says about the catalog; `null`: nothing. */
export function readVendorCatalog(value: unknown): Read<Partial<Catalog>> | null {
  const known = keep(value, catalog)
  if (typeof known === 'object' && known !== null && Object.keys(known).length === 0) return null
  return read(someCatalogShape, known)
}

function keep(value: unknown, members: Members | null): unknown {
  if (members === null || typeof value !== 'object' || value === null) return value
  // No list holds a list: one that does, maybe thousands of times, is left as it is, and refused.
  if (Array.isArray(value)) return value.map((each: unknown) => (Array.isArray(each) ? each : keep(each, members)))
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      inner === null || !Object.hasOwn(members, name) ? [] : [[name, keep(inner, members[name] ?? null)]],
    ),
  )
}
