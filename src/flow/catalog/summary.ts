import type { CatalogItem } from '../map.js'
import type { Known } from './known.js'
import type { CatalogCall } from './shapes.js'

/** What a call does, for people. Ids and keys are the vendor's own. */
export function summaryOf(call: CatalogCall, before: Known, probe = false): string {
  const again = probe ? ', as a call without a clear answer tried before' : ''
  return `${whatOf(call, before)}${again}`
}

function whatOf({ api, body }: CatalogCall, before: Known): string {
  switch (api) {
    case 'packages.create':
      return `creates ${packagesAndItems(idsOf(body.package_list), idsOf(body.additional_item_list))}`
    case 'packages.batch_update': {
      const what = packagesAndItems(idsOf(body.package_list), idsOf(body.additional_item_list))
      const shows = before.doubts.some((doubt) => doubt.about === 'kept')
      return `says how ${what} are called${shows ? ', and shows whether Feishu kept what was there' : ''}`
    }
    case 'packages.batch_delete':
      return `deletes ${packagesAndItems(body.package_id_list, body.additional_item_id_list)} for ever`
    case 'custom_fields.create':
      return `creates ${named('field', keysOf(body.custom_field_list))}`
    case 'custom_fields.batch_update':
      return `says how ${named('field', keysOf(body.custom_field_list))} are called`
    case 'custom_fields.batch_delete':
      return `deletes ${named('field', keysOf(before.held.custom_fields)) || 'the fields'} for ever, and their keys`
  }
}

function packagesAndItems(packages: readonly string[] = [], items: readonly string[] = []): string {
  return [named('package', packages), named('additional item', items)].filter((part) => part !== '').join(' and ')
}

const mostNamed = 5

function named(what: string, ids: readonly string[]): string {
  if (ids.length === 0) return ''
  const more = ids.length > mostNamed ? ', …' : ''
  return `${ids.length} ${what}${ids.length === 1 ? '' : 's'} (${ids.slice(0, mostNamed).join(', ')}${more})`
}

function idsOf(items: readonly CatalogItem[] = []): string[] {
  return items.map((item) => item.id)
}

function keysOf(fields: ReadonlyArray<{ key: string }>): string[] {
  return fields.map((field) => field.key)
}
