import { clock, type Script, script, scriptOfSession } from "./scripts.ts";

/** What a change answers that was done: a number, what was before it or nothing, and the server's time. */
type Done = [number: unknown, before: unknown, time: unknown];

/** Whether a change's reply says that it was done; it is not the hash, of names and values, of a session that refuses. */
export function isDone(reply: unknown): reply is Done {
  return Array.isArray(reply) && reply.length === 3;
}

/**
 * KEYS: session, list of cells, cell, then, with a nonce, the shard's nonces, then, with a subject, that subject's index.
 * ARGV: publishing command, nonce, the server's time after which it is too late, now, access, transactions, linger,
 * timeout, authenticated, subject, created, lifetime (the last five may be empty), stamp, the stamp that the session must
 * have or nothing, count of expectations and these as key and revision, count of removals and these, then key and rest of
 * each entry.
 *
 * Answers the revision, the stamp before with the count of transactions, and the time, or all of a living session's hash
 * when it refuses, or nothing for a dead one. A client that loses its connection may send a commit again that was done already: it is known by its nonce
 * as long as it would not be too late, and five seconds longer should the clock be set, and answered what it was answered
 * then. It is written even so: `WAIT` answers for what its own connection has written, and that is a new one.
 *
 * A shard's nonces lie in one sorted set, as `<time after which it is too late>:<nonce>:<revision>`, all with the same score:
 * then Redis orders them by their bytes, which is by time, finds one by its beginning and drops the old ones from the front.
 * So a commit costs the same however many there were before it, and the server itself forgets the set when no more come.
 *
 * What may be refused comes before the session is written, so that it stays as it was: the indexes, which may be somebody
 * else's, and what a user may not be allowed after a new session is written. It is told of last, when it is in: news of a
 * revision that is none would let the true one pass for old.
 */
export const commitScript: Script = scriptOfSession(`${clock}
local key = KEYS[1]
local nonce, now, accessed, linger = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local timeout, auth, subject, created, lifetime = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local here, till = clock(), time(ARGV[3])
local name
if nonce ~= '' then
  name = string.format('%014.0f:', till) .. nonce
  local known = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. name .. ':', '(' .. name .. ';', 'LIMIT', 0, 1)[1]
  if known then
    redis.call('ZREM', KEYS[4], known)
    redis.call('ZADD', KEYS[4], 0, known)
    return { tonumber(string.sub(known, #name + 2)), '0', here }
  end
end
if here > till then return redis.error_reply('LATE nothing was written') end
local s = load(key)
local alive = s and expiry(s) > now
local function refuse()
  if alive then return redis.call('HGETALL', key) end
  return false
end
if created == '' then
  if not alive then return false end
elseif s then
  return refuse()
end
if ARGV[14] ~= '' and s.stamp ~= ARGV[14] then return refuse() end
local at = 16
for _ = 1, tonumber(ARGV[15]) do
  local entry = redis.call('HGET', key, ARGV[at])
  if (entry and tonumber(string.match(entry, '^%d+')) or 0) ~= tonumber(ARGV[at + 1]) then return refuse() end
  at = at + 2
end
if not s then
  local start = time(created)
  s = { rev = 0, start = start, accessed = accessed, timeout = '0', idle = 0, count = 0, created = created,
    lifetime = lifetime, ends = start + time(lifetime), stamp = '0' }
end
local prior = s.stamp
s.stamp = ARGV[13]
s.rev = s.rev + 1
used(s, accessed, ARGV[6])
if timeout ~= '' then s.timeout, s.idle = timeout, time(timeout) end
local rev, fields = number(s.rev), {}
local since, was
if auth ~= '' or subject ~= '' then
  since, was = whose(key)
  if auth == '' then auth = since end
  if subject == '' then subject = was end
  fields = { 'u', auth .. ' ' .. subject }
end
if created ~= '' then
  assertMay(ARGV[1], key)
  assertMay('PEXPIRE', key)
end
if subject ~= '' and subject ~= was then
  local theirs, last = KEYS[#KEYS], s.ends + linger
  local ttl = math.max(last - now, 0) + linger
  redis.call('ZREMRANGEBYSCORE', theirs, '-inf', number(now))
  redis.call('ZADD', theirs, number(last), identifierOf(key))
  if redis.call('PTTL', theirs) < ttl then keep(theirs, ttl) end
end
local moved = index(key, KEYS[2], KEYS[3], s)
local removals = tonumber(ARGV[at])
for i = at + 1, at + removals do redis.call('HDEL', key, ARGV[i]) end
for i = at + removals + 1, #ARGV, 2 do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = rev .. ARGV[i + 1]
  -- One command takes only so many arguments from Lua.
  if #fields >= 1000 then
    redis.call('HSET', key, unpack(fields))
    fields = {}
  end
end
save(key, s, fields, now, linger, moved)
if name then
  redis.call('ZADD', KEYS[4], 0, name .. ':' .. rev)
  redis.call('ZREMRANGEBYLEX', KEYS[4], '-', string.format('(%014.0f', here - 5000))
  -- A minute more than they are needed, so that few commits have to say it again.
  local wanted = till - here + 5000
  if redis.call('PTTL', KEYS[4]) < wanted then keep(KEYS[4], wanted + 60000) end
end
redis.call(ARGV[1], key, rev)
return { s.rev, prior .. ' ' .. number(s.count), here }
`);

/** KEYS: session. ARGV: a stamp. Answers `m` and `u` when the stamp is this one, else all of the session. */
export const readScript: Script = script(`
local found = redis.call('HMGET', KEYS[1], 'm', 'u')
local stamp = ARGV[1] .. ' '
if found[1] and string.sub(found[1], 1, #stamp) == stamp then return found end
return redis.call('HGETALL', KEYS[1])
`);

/** KEYS: session, list of cells, cell. ARGV: access, transactions, linger. */
export const touchScript: Script = scriptOfSession(`
local s = load(KEYS[1])
local now = tonumber(ARGV[1])
if not s or expiry(s) <= now then return 0 end
used(s, now, ARGV[2])
local moved = index(KEYS[1], KEYS[2], KEYS[3], s)
save(KEYS[1], s, {}, now, tonumber(ARGV[3]), moved)
return 1
`);

/**
 * KEYS: session, list of cells, cell. ARGV: publishing command, time by which it must have expired, or nothing, the
 * server's time after which it is too late, or nothing, and 1 when replicas are waited for. Answers 1 or 0, nothing and the
 * time. Sets the index right where it is not. That of the subject, whose key only the session knows, heals when it is read.
 *
 * A session that cannot be read goes when it is to go in any case. Whether it has expired nobody can say: then its place in
 * the index moves to the time at which the server forgets it, so that no sweep comes by it again and again.
 *
 * One that finds nothing may come after one that nobody answered for: `WAIT`, which answers for what its own connection
 * has written, needs something to be written.
 */
export const eraseScript: Script = scriptOfSession(`${clock}
local here, by = clock(), tonumber(ARGV[2])
if ARGV[3] ~= '' and here > time(ARGV[3]) then return redis.error_reply('LATE nothing was written') end
local id, text = identifierOf(KEYS[1]), redis.call('HGET', KEYS[1], 'm')
local function forget()
  redis.call('ZREM', KEYS[3], id)
  if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('ZREM', KEYS[2], string.match(KEYS[3], '%d+$')) end
end
if not text and redis.call('EXISTS', KEYS[1]) == 0 then
  if ARGV[4] == '1' then
    redis.call('HSET', KEYS[1], 'm', '')
    redis.call('UNLINK', KEYS[1])
  end
  forget()
  return { 0, '', here }
end
if by then
  local s = text and parse(text)
  if not s then
    local left = redis.call('PTTL', KEYS[1])
    place(KEYS[2], KEYS[3], id, left < 0 and math.huge or by + left)
    unreadable('m')
  end
  if expiry(s) > by then
    if s.due ~= expiry(s) then
      local left = redis.call('PTTL', KEYS[1])
      -- One that was restored from a backup may have no end of its own.
      if left > 0 then keep(KEYS[1], left + expiry(s) - s.due) end
      s.due = expiry(s)
      place(KEYS[2], KEYS[3], id, s.due)
      store(KEYS[1], s, {})
    end
    return { 0, '', here }
  end
end
assertMay(ARGV[1], KEYS[1])
redis.call('UNLINK', KEYS[1])
redis.call(ARGV[1], KEYS[1], '0')
forget()
return { 1, '', here }
`);
