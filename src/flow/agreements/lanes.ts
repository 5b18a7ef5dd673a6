import type { OtherLane } from '../outbox/put-other.js'

/** An agreement under the app and the tenant that it is kept through. */
export interface AgreementKey {
  appId: string
  tenantKey: string
  /** Feishu's id: 1 to 32 digits. */
  id: string
}

/** An application that gets, or has, its agreement. */
export interface ApplicationKey {
  appId: string
  tenantKey: string
  applicationId: string
}

/** Lanes of changes begin so, lanes of creates so: before it is created an agreement has no id of its own. */
export const changesPrefix = 'agreement:'
export const createsPrefix = 'agreement_of:'

export function laneOfAgreement({ appId, tenantKey, id }: AgreementKey): OtherLane {
  return { lane: `${changesPrefix}${appId}:${tenantKey}:${id}`, appId, tenantKey, accountId: null }
}

export function laneOfApplication({ appId, tenantKey, applicationId }: ApplicationKey): OtherLane {
  return { lane: `${createsPrefix}${appId}:${tenantKey}:${applicationId}`, appId, tenantKey, accountId: null }
}
