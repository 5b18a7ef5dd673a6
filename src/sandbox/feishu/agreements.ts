import type { Answer } from './answers.js'
import { accept, refuse } from './answers.js'
import type { Body } from './bodies.js'

export type SandboxApplication = {
  applicationId: string
  tenantKey: string
  /** Of a campus recruiting process; else 1002077. */
  campus: boolean
  /** The offer's work location is in mainland China; else 1002078. */
  mainlandChina: boolean
}
export type Agreement = {
  id: string
  tenantKey: string
  applicationId: string
  state: number
  createTime: number
  modifyTime: number
}

/** Tripartite agreements (contract §3.9). */
export class Agreements {
  #agreements = new Map<string, Agreement>()
  #applications = new Map<string, SandboxApplication>()
  #isOn: (tenantKey: string) => boolean
  #nextId: () => string

  constructor(isOn: (tenantKey: string) => boolean, nextId: () => string) {
    this.#isOn = isOn
    this.#nextId = nextId
  }

  addApplication(application: SandboxApplication): void {
    this.#applications.set(`${application.tenantKey}|${application.applicationId}`, application)
  }

  all(): Agreement[] {
    return [...this.#agreements.values()]
  }

  create(tenantKey: string, body: Body<'tripartite_agreements.create'>): Answer {
    const application = this.#applications.get(`${tenantKey}|${body.application_id}`)
    if (!this.#isOn(tenantKey)) return refuse('agreementSwitchOff', tenantKey)
    if (!isState(body.state)) return wrongState(body.state)
    if (!application) {
      return refuse(
        'parameterError',
        `no application ${body.application_id} in this tenant; a sandbox needs addApplication`,
      )
    }
    if (!application.campus) return refuse('notCampus', body.application_id)
    if (!application.mainlandChina) return refuse('notMainland', body.application_id)
    if (this.#of(tenantKey).some((one) => one.applicationId === body.application_id)) {
      return refuse('agreementExists', body.application_id)
    }
    const time = Number(body.create_time)
    const made = { id: this.#nextId(), tenantKey, applicationId: body.application_id, state: body.state }
    this.#agreements.set(made.id, { ...made, createTime: time, modifyTime: time })
    return accept({ id: made.id })
  }

  /** At most one item; the agreement's id wins over the application's; neither finds nothing. */
  list(tenantKey: string, query: Record<string, string>): Answer {
    const { application_id: applicationId, tripartite_agreement_id: id } = query
    const found = this.#of(tenantKey).filter((one) => (id ? one.id === id : one.applicationId === applicationId))
    return accept({ items: found.slice(0, 1).map(show), page_token: '', has_more: false }, { applied: false })
  }

  update(tenantKey: string, id: string, body: Body<'tripartite_agreements.update'>): Answer {
    if (!this.#isOn(tenantKey)) return refuse('agreementSwitchOff', tenantKey)
    const agreement = this.#of(tenantKey).find((one) => one.id === id)
    if (!agreement) return refuse('agreementNotFound', id)
    if (!isState(body.state)) return wrongState(body.state)
    const time = Number(body.modify_time)
    if (time < agreement.modifyTime) {
      return refuse('parameterError', `modify_time: expected ${agreement.modifyTime} or later; it came as ${time}`)
    }
    agreement.state = body.state
    agreement.modifyTime = time
    return accept({})
  }

  delete(tenantKey: string, id: string): Answer {
    if (!this.#isOn(tenantKey)) return refuse('agreementSwitchOff', tenantKey)
    const agreement = this.#of(tenantKey).find((one) => one.id === id)
    if (!agreement) return refuse('agreementNotFound', id)
    this.#agreements.delete(id)
    return accept()
  }

  #of(tenantKey: string): Agreement[] {
    return this.all().filter((one) => one.tenantKey === tenantKey)
  }
}

function isState(state: number): boolean {
  return state >= 1 && state <= 9
}

function wrongState(state: number): Answer {
  return refuse('parameterError', `state: expected 1 to 9; it came as ${state}`)
}

function show({ id, applicationId, state, createTime, modifyTime }: Agreement) {
  return {
    id,
    application_id: applicationId,
    state,
    create_time: String(createTime),
    modify_time: String(modifyTime),
  }
}
