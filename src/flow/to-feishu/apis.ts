import type { Client } from '@larksuiteoapi/node-sdk'

/** What may be delivered: the values of `api` that operators see. */
export type DeliveryApi =
  | 'update_progress'
  | 'update_result'
  | 'cancel'
  | 'custom_fields.create'
  | 'custom_fields.batch_update'
  | 'custom_fields.batch_delete'
  | 'packages.create'
  | 'packages.batch_update'
  | 'packages.batch_delete'
  | 'account_custom_fields.create'
  | 'account_custom_fields.batch_update'
  | 'account_custom_fields.batch_delete'
  | 'tripartite_agreements.create'
  | 'tripartite_agreements.update'
  | 'tripartite_agreements.delete'

/** What may be asked: changes nothing in Feishu, so that repeating is always safe. */
export type ReadApi =
  | 'tripartite_agreements.list'
  | 'background_check_orders.list'
  | 'background_check_orders.batch_query'

export type FeishuApi = DeliveryApi | ReadApi

/** Which of the two configured sets of windows holds for a method: 1000/min and 50/s, or 10/s. */
export type RateClass = 'normal' | 'slow'

export type Hire = Client['hire']['v1']

/** What the SDK's typed methods take besides the payload; a fresh one for each call, since the SDK writes into it. */
export type CallOptions = NonNullable<Parameters<Hire['ecoBackgroundCheck']['cancel']>[1]>

type SdkMethod = (payload: never, options?: CallOptions) => Promise<unknown>

export interface ApiFacts {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the base URL; `:name` stands for `path.id`. */
  path: string
  /** The path's own parameter as the SDK calls it. */
  pathParameter?: 'tripartite_agreement_id'
  rate: RateClass
  sdk: (hire: Hire) => SdkMethod
}

const v1 = '/open-apis/hire/v1'
const agreement = `${v1}/tripartite_agreements/:tripartite_agreement_id`

/** Methods, paths, tiers and SDK calls of docs/feishu.md §3.1, in its order. batch_update is PATCH, batch_delete POST. */
export const apis: Readonly<Record<FeishuApi, ApiFacts>> = {
  update_progress: {
    method: 'POST',
    path: `${v1}/eco_background_checks/update_progress`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheck.updateProgress,
  },
  update_result: {
    method: 'POST',
    path: `${v1}/eco_background_checks/update_result`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheck.updateResult,
  },
  cancel: {
    method: 'POST',
    path: `${v1}/eco_background_checks/cancel`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheck.cancel,
  },
  'custom_fields.create': {
    method: 'POST',
    path: `${v1}/eco_background_check_custom_fields`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckCustomField.create,
  },
  'custom_fields.batch_update': {
    method: 'PATCH',
    path: `${v1}/eco_background_check_custom_fields/batch_update`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckCustomField.batchUpdate,
  },
  'custom_fields.batch_delete': {
    method: 'POST',
    path: `${v1}/eco_background_check_custom_fields/batch_delete`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckCustomField.batchDelete,
  },
  'packages.create': {
    method: 'POST',
    path: `${v1}/eco_background_check_packages`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckPackage.create,
  },
  'packages.batch_update': {
    method: 'PATCH',
    path: `${v1}/eco_background_check_packages/batch_update`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckPackage.batchUpdate,
  },
  'packages.batch_delete': {
    method: 'POST',
    path: `${v1}/eco_background_check_packages/batch_delete`,
    rate: 'normal',
    sdk: (hire) => hire.ecoBackgroundCheckPackage.batchDelete,
  },
  'account_custom_fields.create': {
    method: 'POST',
    path: `${v1}/eco_account_custom_fields`,
    rate: 'normal',
    sdk: (hire) => hire.ecoAccountCustomField.create,
  },
  'account_custom_fields.batch_update': {
    method: 'PATCH',
    path: `${v1}/eco_account_custom_fields/batch_update`,
    rate: 'normal',
    sdk: (hire) => hire.ecoAccountCustomField.batchUpdate,
  },
  'account_custom_fields.batch_delete': {
    method: 'POST',
    path: `${v1}/eco_account_custom_fields/batch_delete`,
    rate: 'normal',
    sdk: (hire) => hire.ecoAccountCustomField.batchDelete,
  },
  'tripartite_agreements.create': {
    method: 'POST',
    path: `${v1}/tripartite_agreements`,
    rate: 'slow',
    sdk: (hire) => hire.tripartiteAgreement.create,
  },
  'tripartite_agreements.list': {
    method: 'GET',
    path: `${v1}/tripartite_agreements`,
    rate: 'slow',
    sdk: (hire) => hire.tripartiteAgreement.list,
  },
  'tripartite_agreements.update': {
    method: 'PUT',
    path: agreement,
    pathParameter: 'tripartite_agreement_id',
    rate: 'slow',
    sdk: (hire) => hire.tripartiteAgreement.update,
  },
  'tripartite_agreements.delete': {
    method: 'DELETE',
    path: agreement,
    pathParameter: 'tripartite_agreement_id',
    rate: 'slow',
    sdk: (hire) => hire.tripartiteAgreement.delete,
  },
  'background_check_orders.list': {
    method: 'GET',
    path: `${v1}/background_check_orders`,
    rate: 'normal',
    sdk: (hire) => hire.backgroundCheckOrder.list,
  },
  'background_check_orders.batch_query': {
    method: 'POST',
    path: `${v1}/background_check_orders/batch_query`,
    rate: 'slow',
    sdk: (hire) => hire.backgroundCheckOrder.batchQuery,
  },
}

export const feishuApis = Object.keys(apis) as FeishuApi[]

export function isRead(api: FeishuApi): api is ReadApi {
  return api === 'tripartite_agreements.list' || api.startsWith('background_check_orders.')
}
