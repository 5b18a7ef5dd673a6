import type { Card } from './bot.js'
import { conditions } from './conditions.js'
import type { Figures } from './digest.js'
import type { News, Standing } from './standing.js'

/** Feishu takes 20 KB; a line is far below 200 bytes. */
const mostLines = 40

/** One card for all that is to be told; `null` when there is nothing. */
export function newsCard({ raised, reminded, cleared }: News): Card | null {
  const standing = [...raised, ...reminded]
  if (standing.length + cleared.length === 0) return null
  const isCritical = standing.some(({ name }) => conditions[name].severity === 'critical')
  const paragraphs = [
    ...section('新告警 New', raised),
    ...section('仍未恢复 Still standing', reminded),
    ...section('已恢复 Over', cleared),
  ]
  if (standing.length === 0) return { title: '背调对接：已恢复', colour: 'green', paragraphs }
  return { title: '背调对接：告警', colour: isCritical ? 'red' : 'orange', paragraphs }
}

function section(title: string, all: readonly Standing[]): string[] {
  if (all.length === 0) return []
  const lines = all.slice(0, mostLines).map(line)
  const more = all.length > mostLines ? [`… +${all.length - mostLines}`] : []
  return [[`**${title}**`, ...lines, ...more].join('\n')]
}

function line({ name, about, n }: Standing): string {
  const { zh, en } = conditions[name]
  const fill = (text: string) => text.replaceAll('{about}', about).replaceAll('{n}', String(n))
  return `- ${fill(zh)}\n  ${name}: ${fill(en)}`
}

export function digestCard(day: string, figures: Figures): Card {
  const { received, completed, canceled, failed, open, stale, delivered, calls, limited, dead, waitedMinutes } = figures
  return {
    title: `背调对接：每日汇总 ${day}`,
    colour: dead + failed + stale > 0 ? 'orange' : 'blue',
    paragraphs: [
      `**过去 24 小时**\n- 新订单 ${received}，完成 ${completed}，终止 ${canceled}\n- 推送 ${delivered} 条，调用 ${calls} 次，限流 ${limited} 次`,
      `**目前**\n- 进行中 ${open}，其中多日无进展 ${stale}，下单失败 ${failed}\n- 失败推送 ${dead} 条，最久的待推送已等 ${waitedMinutes} 分钟`,
    ],
  }
}
