import { z } from 'zod'
import { refuse, splitList } from './parsers.js'

export interface RedisNode {
  host: string
  port: number
}

export const redisNodes = z.string().transform((value, ctx): RedisNode[] => {
  const nodes = splitList(value).map(readNode)
  const fitting = nodes.filter((node) => node !== undefined)
  if (nodes.length > 0 && fitting.length === nodes.length) return fitting
  return refuse(ctx, 'expected host:port, or several separated by commas')
})

/** An IPv6 address is in brackets, as in a URL. */
function readNode(entry: string): RedisNode | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]?#]+)):(\d{1,5})$/.exec(entry)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined
}
