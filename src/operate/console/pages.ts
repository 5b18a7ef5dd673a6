import type { Action, Page } from './page.js'
import { accountActions, accountPage } from './pages/account.js'
import { accountsPage } from './pages/accounts.js'
import { auditPage } from './pages/audit.js'
import { deliveriesPage, deliveryActions } from './pages/deliveries.js'
import { deliveryPage } from './pages/delivery.js'
import { eventsPage, retryEvent } from './pages/events.js'
import { dismissFinding, findingsPage } from './pages/findings.js'
import { orderPage } from './pages/order.js'
import { orderActions } from './pages/order-actions.js'
import { ordersPage, searchAction } from './pages/orders.js'
import { overviewPage } from './pages/overview.js'
import { queueActions, queuesPage } from './pages/queues.js'
import { quotasPage } from './pages/quotas.js'

/** Everything below /console that shows something. */
export const pages: readonly Page[] = [
  overviewPage,
  ordersPage,
  orderPage,
  deliveriesPage,
  deliveryPage,
  eventsPage,
  accountsPage,
  accountPage,
  queuesPage,
  quotasPage,
  findingsPage,
  auditPage,
]

/** Everything below /console that does something. The search comes before what takes any id. */
export const actions: readonly Action[] = [
  searchAction,
  ...orderActions,
  ...deliveryActions,
  retryEvent,
  ...accountActions,
  ...queueActions,
  dismissFinding,
]
