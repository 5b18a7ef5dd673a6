/** What an own adapter for a vendor's system is written against: `import type { VendorAdapter } from 'bgc-bridge/adapter'`. */
export type {
  AccountToBind,
  BoundAccount,
  Capabilities,
  ChangedAgreements,
  ChangedOrders,
  OrderToPlace,
  Person,
  VendorAdapter,
  VendorAgreement,
  VendorAnswer,
  VendorCall,
  VendorFailure,
  VendorOrder,
  VendorOrderStatus,
  VendorReport,
  VendorResult,
  VendorStage,
} from './flow/vendor/adapter.js'
export type { EnvironmentSchema, VendorAdapterModule } from './flow/vendor/load.js'
