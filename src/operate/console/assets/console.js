// Pages read well without this. It keeps them fresh while somebody looks, and asks before grave steps.

const refreshedAt = new Map()
const openedAt = performance.now()

/** Each part that is `data-live` is fetched again after so many seconds. */
setInterval(() => {
  if (document.visibilityState !== 'visible' || isAtSomething()) return
  const now = performance.now()
  for (const part of document.querySelectorAll('[data-live]')) {
    if (now - (refreshedAt.get(part.id) ?? openedAt) < Number(part.dataset.live) * 1000) continue
    refreshedAt.set(part.id, now)
    htmx.trigger(part, 'refresh')
  }
}, 1000)

/** Nothing moves under a hand that is about to press, or that fills something in. */
function isAtSomething() {
  const fields = ':is(button, input, select, textarea):focus'
  return document.querySelector(`[data-live] button:hover, [data-live] ${fields}`) !== null
}

/** What is seen stays when it cannot be refreshed, and says so. `name`: `over`, `gone`, or nothing is wrong. */
function sayState(name) {
  for (const line of document.querySelectorAll('[data-live-state]')) line.hidden = line.dataset.liveState !== name
}

const nameOfRefusal = (status) => (status === 401 ? 'over' : 'gone')

document.addEventListener('htmx:before:swap', (event) => {
  const { sourceElement: part, text, response } = event.detail.ctx
  const isOurs = response.status < 400 && text.includes(`id="${part.id}"`)
  // The hand may have come while the answer was on its way.
  if (!isOurs || isAtSomething()) event.preventDefault()
  sayState(isOurs ? undefined : nameOfRefusal(response.status))
})
document.addEventListener('htmx:error', () => sayState('gone'))

document.addEventListener('submit', (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm
  if (question !== undefined && !window.confirm(question)) event.preventDefault()
})
