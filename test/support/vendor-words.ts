import type { VendorOrder, VendorReport, VendorStage } from '../../src/flow/vendor/adapter.js'

/** What a vendor says, in short. */
export const at = (minutes: number): number => 1_767_315_600_000 + minutes * 60_000

export const report = (name = 'stage.pdf', url = `https://files.example.com/${name}`): VendorReport => ({
  name,
  url,
  type: 1,
})

export function stage(id: string, more: Partial<VendorStage> = {}): VendorStage {
  return { id, name: `stage ${id}`, time: at(1), reports: [], ...more }
}

export function saying(status: VendorOrder['status'], stages: VendorStage[], result = 'clear'): VendorOrder {
  return {
    orderId: 'V-1',
    status,
    stages,
    ...(status === 'completed' && { result: { result, time: at(100), reports: [report('final.pdf')] } }),
  }
}
