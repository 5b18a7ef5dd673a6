import { type Control, startControl } from '../support/control.js'
import { customerRoutes } from './control/customer-routes.js'
import { eventRoutes } from './control/event-routes.js'
import { insideRoutes } from './control/inside-routes.js'
import type { SandboxFeishu } from './server.js'

/** What can be asked of the sandbox Feishu over HTTP. */
export function feishuControl(feishu: () => SandboxFeishu): Control {
  return startControl([...customerRoutes(feishu), ...eventRoutes(feishu), ...insideRoutes(feishu)])
}
