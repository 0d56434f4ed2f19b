import { type Script, script, scriptOfSession } from "./scripts.ts";

// What walks and sweeps ask of the indexes.

/**
 * KEYS: cells in their order. ARGV: latest expiry, how many, and 1 when those of the first cell do not count, because the
 * caller knows some of them already. Answers identifiers in no order, cell by cell, until there are enough, and before
 * them how many cells it has looked at.
 */
export const listScript: Script = script(`
local found, enough = { 0 }, tonumber(ARGV[2]) + 1
for i = 1, #KEYS do
  local here = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', ARGV[1])
  for _, id in ipairs(here) do found[#found + 1] = id end
  if i == 1 and ARGV[3] == '1' then enough = enough + #here end
  found[1] = i
  if #found > enough then break end
end
return found
`);

/** KEYS: list of cells, then cells. ARGV: latest expiry, how many. Answers identifiers, and sets the list right for cells that have none. */
export const dueScript: Script = script(`
local found = {}
for i = 2, #KEYS do
  local here = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[2]) - #found)
  for _, id in ipairs(here) do found[#found + 1] = id end
  if #here == 0 then
    local cell = string.match(KEYS[i], '%d+$')
    local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
    if first[2] then redis.call('ZADD', KEYS[1], first[2], cell) else redis.call('ZREM', KEYS[1], cell) end
  end
  if #found >= tonumber(ARGV[2]) then break end
end
return found
`);

/**
 * KEYS: list of cells, then cell and session of each. ARGV: identifiers. Answers those whose session is there; the places
 * of the others, whom the server has forgotten on its own, go.
 */
export const siftScript: Script = script(`
local found = {}
for i, id in ipairs(ARGV) do
  local cell = KEYS[2 * i]
  if redis.call('EXISTS', KEYS[2 * i + 1]) == 1 then
    found[#found + 1] = id
  else
    redis.call('ZREM', cell, id)
    if redis.call('EXISTS', cell) == 0 then redis.call('ZREM', KEYS[1], string.match(cell, '%d+$')) end
  end
end
return found
`);

/** KEYS: session, a subject's index. ARGV: identifier, subject. Forgets a session that is gone, or somebody else's now. */
export const healScript: Script = scriptOfSession(`
local _, subject = whose(KEYS[1])
if subject == ARGV[2] then return 0 end
return redis.call('ZREM', KEYS[2], ARGV[1])
`);

/**
 * KEYS: a task. ARGV: who would hold it, and for how many milliseconds, 0 to give it back. Answers 1 when nobody else
 * holds it.
 */
export const leaseScript: Script = script(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('UNLINK', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
`);
