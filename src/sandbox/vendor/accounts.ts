import { NotThere } from '../support/refusals.js'

export type VendorAccount = {
  accountId: string
  tenantKey: string
  accountName: string
  usageList: number[]
  customFields: Record<string, string>
  customerId: string
  confirmed: boolean
  asked: number
}

export type AccountBody = {
  account_id: string
  tenant_key: string
  account_name?: string | null | undefined
  usage_list?: number[] | null | undefined
  custom_fields?: Record<string, string> | null | undefined
}

/** The customers of the vendor, one for each account that was bound. */
export class Accounts {
  #accounts = new Map<string, VendorAccount>()

  ask(body: AccountBody, confirmed: boolean): VendorAccount {
    const known = this.#accounts.get(body.account_id)
    const account: VendorAccount = {
      accountId: body.account_id,
      tenantKey: body.tenant_key,
      accountName: body.account_name ?? '',
      usageList: body.usage_list ?? [],
      customFields: body.custom_fields ?? {},
      customerId: known?.customerId ?? `C-${this.#accounts.size + 1}`,
      confirmed: known?.confirmed ?? confirmed,
      asked: (known?.asked ?? 0) + 1,
    }
    this.#accounts.set(account.accountId, account)
    return account
  }

  confirm(accountId: string): void {
    this.get(accountId).confirmed = true
  }

  get(accountId: string): VendorAccount {
    const account = this.#accounts.get(accountId)
    if (!account) throw new NotThere(`no account ${accountId} was bound with this vendor`)
    return account
  }

  all(): VendorAccount[] {
    return [...this.#accounts.values()]
  }
}
