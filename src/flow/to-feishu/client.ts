import { createRequire } from 'node:module'
import type { ProxyChoice } from '../../platform/proxy.js'
import { apis, type CallOptions, type FeishuApi } from './apis.js'
import { createFeishuHttp } from './feishu-http.js'
import type { FeishuReply } from './reply.js'
import { callHeader, type SdkLog, SdkTransport, silent } from './sdk-transport.js'

export type { FeishuAnswer, FeishuReply } from './reply.js'
export type { SdkLog } from './sdk-transport.js'

/**
 * One call to Feishu through the SDK's typed methods. Called by the sender, which gives the token, decides by
 * `outcomes` what an answer means, and keeps the rate. Rejects only with FeishuRequestError: a request that must never
 * be sent. What Feishu says in words, tokens and bodies reach neither an error nor a log.
 */
export interface FeishuClient {
  call(request: FeishuRequest, call: FeishuCall): Promise<FeishuReply>
  stop(): Promise<void>
}

export interface FeishuRequest {
  api: FeishuApi
  body?: Record<string, unknown>
  /** For the reads. */
  query?: Record<string, string | number>
  path?: { id: string }
}

export interface FeishuCall {
  token: string
  signal?: AbortSignal
  /** Asked right before the first byte is written, on a connected socket, maybe more than once; `false` withdraws. */
  mayWrite?: () => boolean
}

export interface FeishuClientOptions {
  appId: string
  /** Any host, port and path. */
  baseUrl: string
  /** For the whole call. */
  timeoutMs?: number
  proxy?: ProxyChoice | undefined
  log?: SdkLog | undefined
}

export class FeishuRequestError extends Error {
  override readonly name = 'FeishuRequestError'
}

type Sdk = typeof import('@larksuiteoapi/node-sdk')

const load = createRequire(import.meta.url)

/** `require`, since an `import` of this CommonJS file takes twice the time and memory. */
function loadSdk(): Sdk {
  return load('@larksuiteoapi/node-sdk') as Sdk
}

/** Loads the SDK, which blocks for a moment: create clients at the start, and only where Feishu is called. */
export function createFeishuClient(options: FeishuClientOptions): FeishuClient {
  const http = createFeishuHttp(options)
  const transport = new SdkTransport(http)
  const { Client, withTenantToken } = loadSdk()
  const { hire } = new Client(clientParams(options, transport))
  const call = async (request: FeishuRequest, how: FeishuCall): Promise<FeishuReply> => {
    const payload = payloadOf(request)
    const method = apis[request.api].sdk(hire.v1)
    return transport.during(how, (id) => method(payload, optionsOf(withTenantToken(how.token), id)))
  }
  return { call, stop: () => http.stop() }
}

/**
 * The SDK gets no secret, as tokens are none of its business, and is always told `SelfBuild`: for a store app its
 * constructor would ask for an app ticket by itself. Without the token cache it adds no token of its own.
 */
function clientParams({ appId, baseUrl, log }: FeishuClientOptions, httpInstance: SdkTransport) {
  return {
    appId,
    appSecret: 'not-known-here',
    domain: baseUrl.replace(/\/+$/, ''),
    disableTokenCache: true,
    httpInstance,
    logger: silent(log),
    source: 'bgc-bridge',
  }
}

/** A fresh object each time: the SDK writes into it, and a shared one could carry a token to another tenant. */
function optionsOf(options: CallOptions, callId: string): CallOptions {
  return { ...options, headers: { ...options.headers, [callHeader]: callId } }
}

function payloadOf({ api, body, query, path }: FeishuRequest): never {
  const { pathParameter } = apis[api]
  const payload = {
    ...(body === undefined ? {} : { data: body }),
    ...(query === undefined ? {} : { params: query }),
    ...(pathParameter === undefined ? {} : { path: { [pathParameter]: checkedId(api, path?.id) } }),
  }
  // The typed methods differ in their payloads; what is sent was validated where it was put into the outbox.
  return payload as never
}

/** The SDK does not encode path parameters: `1/../../x` would reach another path. */
function checkedId(api: FeishuApi, id: string | undefined): string {
  if (id === undefined || !/^[0-9]{1,32}$/.test(id)) {
    const came = id === undefined ? 'none' : `${id.length} characters`
    throw new FeishuRequestError(`${api}: expected an id of 1 to 32 digits in the path, got ${came}`)
  }
  return id
}
