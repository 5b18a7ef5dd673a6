import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'

/*
 * KEYS: 1 the state, a hash: life, epoch, ticket, closed, keep, last, shift; 2 the uses, a sorted set of name|turn by
 * `until` (windows.ts). ARGV: 1 the clock in ms, empty for that of the server; 2 how long an idle bucket is kept.
 */

/**
 * Every script begins with this. A bucket belongs to one life of one server. Restarted from an old snapshot, or
 * promoted while it lagged behind, a server would know fewer calls than were sent. Both give it another run_id or
 * master_replid (the latter also when an old master gets its place back), so a bucket with another one is dropped.
 * They are read inside the script, because a client that remembers them per connection can have its command resent on
 * the next one. That costs 3 µs; https://redis.io/docs/latest/commands/info/ has the fields.
 * The first replica that joins a server changes its master_replid too, which costs a rebuild and nothing else.
 * docs/decisions/0012-*.md goes through failovers, clusters and two primaries at once.
 *
 * The bucket's clock stands still when the server's steps back: else the uses would seem to lie in the future until it
 * has caught up. A step forward cannot be told from time that passed.
 */
const begin = `
local state, uses, idle = KEYS[1], KEYS[2], tonumber(ARGV[2])
local info = redis.call('INFO', 'server', 'replication')
local run, replid = string.match(info, 'run_id:(%w+)'), string.match(info, 'master_replid:(%w+)')
if not run or not replid then return redis.error_reply('ERR scripts are not told run_id and master_replid here') end
local life = run .. '.' .. replid
if redis.call('HGET', state, 'life') ~= life then
  redis.call('DEL', state, uses)
  redis.call('HSET', state, 'life', life)
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function number(field) return tonumber(redis.call('HGET', state, field) or 0) end
local last, shift = number('last'), number('shift')
now = now + shift
if now < last then
  shift = shift + last - now
  now = last
end
redis.call('HSET', state, 'last', now, 'shift', shift)

local function live(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
live(state, idle)
local function widen(longest)
  local keep = math.max(number('keep'), longest)
  redis.call('HSET', state, 'keep', keep)
  redis.call('ZREMRANGEBYSCORE', uses, '-inf', now - keep)
  return keep
end
`

/**
 * ARGV: 3 epoch, 4 turn, 5 hold, 6 longest window, 7 number of windows, then limit and length of each, then names.
 * A command that is sent again after a broken connection finds what it has taken already.
 */
export const take = script(`${begin}
local epoch, turn, hold, first = ARGV[3], ARGV[4], tonumber(ARGV[5]), 8 + 2 * ARGV[7]
if redis.call('HGET', state, 'epoch') ~= epoch then
  redis.call('HSETNX', state, 'ticket', turn)
  return {'lost', redis.call('HGET', state, 'ticket')}
end
redis.call('HDEL', state, 'ticket')
local closed = number('closed')
if closed > now then return {'wait', closed - now} end
local keep = widen(tonumber(ARGV[6]))

local wanted, taken = #ARGV - first + 1, 0
local function member(i) return ARGV[first + i - 1] .. '|' .. turn end
while taken < wanted and redis.call('ZSCORE', uses, member(taken + 1)) do taken = taken + 1 end
local free = math.huge
for i = 8, first - 1, 2 do
  free = math.min(free, ARGV[i] - redis.call('ZCOUNT', uses, '(' .. now - ARGV[i + 1], '+inf'))
end
local fits = math.max(0, math.min(free, wanted - taken))
for i = taken + 1, taken + fits do redis.call('ZADD', uses, now + hold, member(i)) end
taken = taken + fits
live(uses, hold + keep)
if taken == wanted and free > fits then return {'granted', taken} end

local retry = 0
for i = 8, first - 1, 2 do
  local use = redis.call('ZRANGE', uses, -ARGV[i], -ARGV[i], 'WITHSCORES')
  if use[2] then retry = math.max(retry, math.min(tonumber(use[2]), now + 1) + ARGV[i + 1] - now) end
end
return {taken > 0 and 'granted' or 'wait', taken > 0 and taken or retry, retry}
`)

/** ARGV: name, turn, offset of `until` from now or empty when unused; for each slot. */
export const giveBack = script(`${begin}
for i = 3, #ARGV, 3 do
  -- A rebuild may have counted the same call from its row, without a turn; the answer replaces that.
  redis.call('ZREM', uses, ARGV[i] .. '|')
  local member, offset = ARGV[i] .. '|' .. ARGV[i + 1], tonumber(ARGV[i + 2])
  if offset then redis.call('ZADD', uses, now + offset, member) else redis.call('ZREM', uses, member) end
end
local keep = number('keep')
live(uses, keep > 0 and keep + 1 or idle)
return 'ok'
`)

/** ARGV: 3 ms. */
export const close = script(`${begin}
local ms = tonumber(ARGV[3])
redis.call('HSET', state, 'closed', math.max(number('closed'), now + ms))
live(state, ms)
return 'ok'
`)

/** ARGV: 3 ticket, 4 epoch, 5 longest window, then name and offset of `until` from now; for each use. */
export const rebuild = script(`${begin}
if redis.call('HGET', state, 'ticket') ~= ARGV[3] then return 'overtaken' end
redis.call('HDEL', state, 'ticket')
redis.call('HSET', state, 'epoch', ARGV[4])
local keep, latest, known = widen(tonumber(ARGV[5])), 1, {}
for _, member in ipairs(redis.call('ZRANGE', uses, 0, -1)) do known[string.match(member, '^(.*)|')] = member end
for i = 6, #ARGV, 2 do
  local offset = tonumber(ARGV[i + 1])
  latest = math.max(latest, offset)
  redis.call('ZADD', uses, 'LT', now + offset, known[ARGV[i]] or (ARGV[i] .. '|'))
end
live(uses, latest + keep)
return 'open'
`)

type Run = (redis: Redis | Cluster, keys: string[], args: (string | number)[]) => Promise<unknown>

/** One round trip; a second one where the server does not know the script, as after its restart. */
function script(lua: string): Run {
  const sha = createHash('sha1').update(lua).digest('hex')
  return async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await redis.eval(lua, keys.length, ...keys, ...args)
    }
  }
}
