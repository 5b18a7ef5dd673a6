// Draws what `data-chart` holds: {from, step, count, lines: [{label, look, values | value}], timeZone, language, at};
// times in seconds. Pages have the same figures as tables.

const charts = new Map()
const height = 190
const wholeSteps = [1, 2, 5]
  .flatMap((first) => [1, 10, 100, 1000, 10_000].map((power) => first * power))
  .sort((a, b) => a - b)

/** Also after a refresh: what is drawn stays and takes the new figures. */
function drawCharts() {
  for (const [place, { plot }] of charts) {
    if (place.isConnected) continue
    plot.destroy()
    charts.delete(place)
  }
  for (const place of document.querySelectorAll('[data-chart]')) draw(place)
}

function draw(place) {
  const text = place.dataset.chart
  const known = charts.get(place)
  if (known?.text === text) return
  const chart = JSON.parse(text)
  const shape = chart.lines.map(({ label, look }) => `${look} ${label}`).join()
  const data = dataOf(chart)
  if (known?.shape === shape) {
    Object.assign(known, { text, chart })
    known.plot.setData(data)
    return
  }
  known?.plot.destroy()
  const kept = { text, shape, chart }
  kept.plot = new uPlot(optionsOf(place, kept), data, place)
  charts.set(place, kept)
}

function dataOf({ from, step, count, lines }) {
  const x = Array.from({ length: count }, (_, index) => from + index * step)
  return [x, ...lines.map((line) => valuesOf(line, x))]
}

/** A bar of nought is none. */
function valuesOf({ look, values, value }, x) {
  if (values === undefined) return x.map(() => value)
  return look === 'bars' ? values.map((each) => each || null) : values
}

function optionsOf(place, kept) {
  const style = getComputedStyle(document.documentElement)
  const colour = (name) => style.getPropertyValue(name).trim()
  const { timeZone, language, at, lines } = kept.chart
  const format = (options) => new Intl.DateTimeFormat(language === 'zh' ? 'zh-CN' : 'en-GB', { timeZone, ...options })
  const whole = format({ dateStyle: 'short', timeStyle: 'short' })
  const [clock, day] = [format({ hour: '2-digit', minute: '2-digit' }), format({ month: 'numeric', day: 'numeric' })]
  const date = (seconds) => new Date(seconds * 1000)
  const shown = (seconds, index, all) => {
    const between = all.length > 1 ? all[1] - all[0] : 0
    return (between >= 86_400 || (index > 0 && isMidnight(clock, date(seconds))) ? day : clock).format(date(seconds))
  }
  const axis = { stroke: colour('--faint'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
  const bars = uPlot.paths.bars({ size: [0.7, 24] })
  const hasBars = lines.some(({ look }) => look === 'bars')
  const looks = {
    line: { stroke: colour('--accent'), fill: colour('--accent-faint'), width: 1.5, points: { show: false } },
    limit: { stroke: colour('--warn'), dash: [6, 4], width: 1.5, points: { show: false } },
    bars: {
      scale: 'few',
      stroke: colour('--bad'),
      fill: colour('--bad'),
      width: 1,
      paths: bars,
      points: { show: false },
    },
  }
  return {
    width: place.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(date(seconds), timeZone),
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      y: { range: (_plot, _least, most) => [0, Math.max(4, most * 1.08)] },
      // A few 429s would be lost beside a thousand calls: they have an axis of their own, and the lower third.
      few: { range: (_plot, _least, most) => [0, Math.max(3, most * 3)] },
    },
    axes: [
      { ...axis, space: 60, values: (_plot, splits) => splits.map(shown) },
      { ...axis, size: 44, incrs: wholeSteps },
      {
        ...axis,
        scale: 'few',
        side: 1,
        show: hasBars,
        size: 36,
        stroke: colour('--bad'),
        grid: { show: false },
        incrs: wholeSteps,
      },
    ],
    series: [
      { label: at, value: (_plot, seconds) => (seconds === null ? '–' : whole.format(date(seconds))) },
      ...lines.map(({ label, look }) => ({
        label,
        ...looks[look],
        value: (_plot, value) => (value === null ? '–' : String(value)),
      })),
    ],
  }
}

function isMidnight(clock, date) {
  return ['00:00', '24:00'].includes(clock.format(date))
}

function drawAnew() {
  for (const { plot } of charts.values()) plot.destroy()
  charts.clear()
  drawCharts()
}

addEventListener('resize', () => {
  for (const [place, { plot }] of charts) plot.setSize({ width: place.clientWidth, height })
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAnew)
document.addEventListener('htmx:after:swap', drawCharts)
drawCharts()
