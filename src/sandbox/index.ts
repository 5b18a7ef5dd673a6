/*
 * The sandbox: a Feishu and a vendor to try the service against, both strict about the contract.
 *
 * `startSandboxFeishu` is what customers do in Feishu Hire and what Feishu answers to a vendor's backend. `startSandboxVendor`
 * is the vendor's system behind docs/vendor-api.md. `runSandbox` is both, for `bgc sandbox`. Where the contract does not say
 * what Feishu does, a switch chooses; where things go wrong, a fault is planned; what came is in the journal, and
 * `checkPromises` reads it. Nothing here uses the service's own code: signing and encrypting are written twice.
 */
export type { RunningSandbox, SandboxIo, SandboxOptions } from './command.js'
export { runSandbox } from './command.js'
export type { Agreement, SandboxApplication } from './feishu/agreements.js'
export type { ApiName } from './feishu/apis.js'
export type { SandboxAccount } from './feishu/catalog.js'
export type { FeishuCall } from './feishu/door.js'
export type { LifeCycle } from './feishu/events.js'
export type { AccountInput, OrderInput, RawEventInput, UrlVerification } from './feishu/inputs.js'
export type { CallFilter, CallRecord } from './feishu/journal.js'
export type { FeishuOptions, SandboxApp, SandboxTenant } from './feishu/options.js'
export type { JournalView, PromiseOptions, Violation } from './feishu/oracle.js'
export { checkPromises } from './feishu/oracle.js'
export type { OrderStatus, Person, SandboxOrder, SandboxResult, SandboxStage } from './feishu/orders.js'
export type { PushAttempt, PushedEvent } from './feishu/pushes.js'
export type { ReadReport } from './feishu/report-reads.js'
export type { SealedEvent, SealOptions } from './feishu/seal.js'
export { encrypt, encryptedBody, sealEvent, sign } from './feishu/seal.js'
export type { SandboxFeishu } from './feishu/server.js'
export { startSandboxFeishu } from './feishu/server.js'
export type { Switches } from './feishu/switches.js'
export { defaultSwitches, switchNames, switchSettings, switchVariants } from './feishu/switches.js'
export type { Fault, FaultAction, FaultRates, FaultSource, PlannedFault } from './support/faults.js'
export { seededFaults } from './support/faults.js'
export { until } from './support/until.js'
export type { RateLimit, WorstWindow } from './support/windows.js'
export type { VendorCallRecord } from './vendor/journal.js'
export type { VendorCapabilities, VendorOptions } from './vendor/options.js'
export type { Script, Step, VendorOrder, VendorReport, VendorResult, VendorStage } from './vendor/orders.js'
export { reportFile } from './vendor/reports.js'
export type { SandboxVendor } from './vendor/server.js'
export { startSandboxVendor } from './vendor/server.js'
