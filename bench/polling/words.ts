import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import * as schemas from '../../src/flow/vendor/http-schemas.js'

/* What the vendor says about an order: two stages, one with a report. `@` stands for the check's id. */

const stages = [
  {
    id: 'identity',
    name: '身份核实',
    en_name: 'Identity check',
    time: 1_760_000_000_000,
    result: '无异常',
    reports: [],
  },
  {
    id: 'education',
    name: '学历核实',
    en_name: 'Education check',
    time: 1_760_000_360_000,
    result: '无异常',
    reports: [{ name: '学历核实报告.pdf', url: 'https://vendor.example.com/reports/@', type: 1 }],
  },
]

const words = { order_id: 'V-@', background_check_id: '@', status: 'in_progress', stages }
const pieces = JSON.stringify(words).split('@')

export const vendorOrderOf = (id: string): string => `V-${id}`

/** JSON of the order of that number. */
export const wordsOf = (vendorOrderId: string): string => pieces.join(vendorOrderId.slice('V-'.length))

/** As the service reads them. */
export const readWords = (id: string): VendorOrder => schemas.order.parse(JSON.parse(wordsOf(vendorOrderOf(id))))
