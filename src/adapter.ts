/**
 * What an own adapter for a vendor's system is written against: `import type { VendorAdapter } from 'bgc-bridge/adapter'`,
 * and the conformance suite that tries one: `import { runConformance } from 'bgc-bridge/adapter'`.
 */
export type { CheckOutcome, CheckResult, ConformanceOptions, HttpVendorToCheck } from './conformance/index.js'
export { conformanceChecks, runConformance } from './conformance/index.js'
export type {
  AccountToBind,
  BoundAccount,
  Capabilities,
  ChangedAgreements,
  ChangedOrders,
  OpenedReport,
  OrderToPlace,
  Person,
  ReportQuestion,
  ReportRefusal,
  ReportToOpen,
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
