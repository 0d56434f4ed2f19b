import { createHash } from "node:crypto";

/** A script and the name under which a server keeps it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/**
 * What the scripts share. A session is a hash: the field `m` holds what belongs to all of it, in one text, because a
 * field of a hash costs three times what is in it, and `u` whose it is, once it is somebody's. Fields that begin with `=`
 * or `~` are its entries, as `<rev> <seq> <+ or -><length of writer> <writer><value>`, or, written by the server itself, as
 * `<rev><+ or -><value>`. A hash whose fields have at most 64 characters is packed by Redis into half the memory, so
 * times are in base 36, the last access is in milliseconds since the creation, and the end is a length of time.
 *
 * `due` is the score in the index of expiry: at most a minute earlier than the expiry itself, never later, so that most
 * commits leave the index alone; kept is how much earlier. The index is cut into cells, and a shard's list of cells has
 * each with a score that is never later than the earliest in it: what has to be looked at is found without a look at the
 * others. The server forgets a session on its own, a while after it has expired: that is for memory's sake, counted by
 * the server's clock, and set anew with `due` only, so it allows for the minute; nobody's life depends on it.
 *
 * What a key says is not sent once more: the identifier is the end of the session's, and its channel has the same name.
 *
 * Strings are never compared by order: Lua does that by the server's locale. Nor are long ones in base 36 given to
 * `tonumber`, which on some machines counts to 2^32.
 */
const prelude = `
local function number(x) return string.format('%.17g', x) end
local function time(x)
  if string.byte(x) == 58 then return tonumber(string.sub(x, 2)) end
  if #x < 7 then return tonumber(x, 36) end
  return tonumber(string.sub(x, 1, -5), 36) * 1679616 + tonumber(string.sub(x, -4), 36)
end
local function identifierOf(key) return string.match(key, '}s:(.*)$') end
local function expiry(s) return math.min(s.ends, s.accessed + s.idle) end
local function load(key)
  local text = redis.call('HGET', key, 'm')
  if not text then return nil end
  local stamp, rev, accessed, timeout, count, early, created, lifetime =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  local start = time(created)
  local s = { stamp = stamp, rev = tonumber(rev), start = start, accessed = start + tonumber(accessed),
    timeout = timeout, idle = time(timeout), count = tonumber(count), created = created, lifetime = lifetime,
    ends = start + time(lifetime) }
  s.due = expiry(s) - tonumber(early)
  return s
end
local function whose(key) return string.match(redis.call('HGET', key, 'u') or '- -', '^(%S+) (.*)$') end
local function store(key, s, fields)
  fields[#fields + 1] = 'm'
  fields[#fields + 1] = table.concat({ s.stamp, number(s.rev), number(s.accessed - s.start), s.timeout,
    number(s.count), number(expiry(s) - s.due), s.created, s.lifetime }, ' ')
  redis.call('HSET', key, unpack(fields))
end
local function used(s, accessed, transactions)
  s.accessed = math.max(s.accessed, accessed)
  s.count = s.count + tonumber(transactions)
end
local function place(cells, cell, id, due)
  redis.call('ZADD', cell, number(due), id)
  redis.call('ZADD', cells, 'LT', number(due), string.match(cell, '%d+$'))
end
local function save(key, cells, cell, s, fields, now, linger)
  local e = expiry(s)
  local moved = not s.due or e < s.due or e > s.due + 60000
  if moved then
    place(cells, cell, identifierOf(key), e)
    s.due = e
  end
  store(key, s, fields)
  if moved then redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(math.max(e - now, 0) + 60000 + linger))) end
end
`;

export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** What the server's clock says, in milliseconds. */
const clock = `
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
`;

/** A script that knows how a session lies. */
export const scriptOfSession = (source: string): Script => script(prelude + source);

/** Answers the server's time. KEYS: one of the server that is meant. */
export const timeScript: Script = script(`${clock}return clock()`);

/** What a change answers that was done: a number, the stamp before it or nothing, and the server's time. */
type Done = [number: unknown, stamp: unknown, time: unknown];

/** Whether a change's reply says that it was done; it is not the hash, of names and values, of a session that refuses. */
export function isDone(reply: unknown): reply is Done {
  return Array.isArray(reply) && reply.length === 3;
}

/**
 * KEYS: session, list of cells, cell, and, with a subject, that subject's index.
 * ARGV: publishing command, nonce, the server's time after which it is too late, now, access, transactions, linger,
 * timeout, authenticated, subject, created, lifetime (the last five may be empty), stamp, count of expectations and these
 * as key and revision, count of removals and these, then key and rest of each entry.
 *
 * Answers the revision, the stamp before and the time, or all of a living session's hash when it refuses, or nothing for a
 * dead one. A client that loses its connection may send a commit again that was done already: it is known by its nonce
 * as long as it would not be too late, and a little longer should the clock be set, and answered what it was answered then. It is written
 * even so: `WAIT` answers for what its own connection has written, and that is a new one.
 */
export const commitScript: Script = scriptOfSession(`${clock}
local key = KEYS[1]
local nonce, now, accessed, linger = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local timeout, auth, subject, created, lifetime = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local recent = {}
local here = clock()
if nonce ~= '' then
  local text = redis.call('HGET', key, 'n') or ''
  for till, name, rev in string.gmatch(text, '(%w+):([^:]+):(%d+)') do
    if name == nonce then
      redis.call('HSET', key, 'n', text)
      return { tonumber(rev), '0', here }
    end
    if time(till) + 5000 >= here then recent[#recent + 1] = till .. ':' .. name .. ':' .. rev end
  end
end
if here > time(ARGV[3]) then return redis.error_reply('LATE nothing was written') end
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
local at = 15
for _ = 1, tonumber(ARGV[14]) do
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
local fields = {}
if auth ~= '' or subject ~= '' then
  local since, was = whose(key)
  if auth == '' then auth = since end
  if subject == '' then subject = was end
  fields = { 'u', auth .. ' ' .. subject }
  if subject ~= was then
    local last = s.ends + linger
    local ttl = math.ceil(math.max(last - now, 0) + linger)
    redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', number(now))
    redis.call('ZADD', KEYS[4], number(last), identifierOf(key))
    if redis.call('PTTL', KEYS[4]) < ttl then redis.call('PEXPIRE', KEYS[4], string.format('%.0f', ttl)) end
  end
end
local removals = tonumber(ARGV[at])
for i = at + 1, at + removals do redis.call('HDEL', key, ARGV[i]) end
local rev = number(s.rev)
for i = at + removals + 1, #ARGV, 2 do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = rev .. ARGV[i + 1]
  -- One command takes only so many arguments from Lua.
  if #fields >= 1000 then
    redis.call('HSET', key, unpack(fields))
    fields = {}
  end
end
if nonce ~= '' then
  recent[#recent + 1] = ARGV[3] .. ':' .. nonce .. ':' .. rev
  redis.call('HSET', key, 'n', table.concat(recent, ','))
end
save(key, KEYS[2], KEYS[3], s, fields, now, linger)
redis.call(ARGV[1], key, rev)
return { s.rev, prior, here }
`);

/** KEYS: session. ARGV: a stamp. Answers `m` and `u` when the stamp is this one, else all of the session. */
export const readScript: Script = script(`
local found = redis.call('HMGET', KEYS[1], 'm', 'u')
if not found[1] then return false end
local stamp = ARGV[1] .. ' '
if string.sub(found[1], 1, #stamp) == stamp then return found end
return redis.call('HGETALL', KEYS[1])
`);

/** KEYS: session, list of cells, cell. ARGV: access, transactions, linger. */
export const touchScript: Script = scriptOfSession(`
local s = load(KEYS[1])
local now = tonumber(ARGV[1])
if not s or expiry(s) <= now then return 0 end
used(s, now, ARGV[2])
save(KEYS[1], KEYS[2], KEYS[3], s, {}, now, tonumber(ARGV[3]))
return 1
`);

/**
 * KEYS: session, list of cells, cell. ARGV: publishing command, time by which it must have expired, or nothing, the
 * server's time after which it is too late, or nothing, and 1 when replicas are waited for. Answers 1 or 0, nothing and the
 * time. Sets the index right where it is not. That of the subject, whose key only the session knows, heals when it is read.
 *
 * One that finds nothing may come after one that nobody answered for: `WAIT`, which answers for what its own connection
 * has written, needs something to be written.
 */
export const eraseScript: Script = scriptOfSession(`${clock}
local here = clock()
if ARGV[3] ~= '' and here > time(ARGV[3]) then return redis.error_reply('LATE nothing was written') end
local s = load(KEYS[1])
local id = identifierOf(KEYS[1])
local function forget()
  redis.call('ZREM', KEYS[3], id)
  if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('ZREM', KEYS[2], string.match(KEYS[3], '%d+$')) end
end
if not s then
  if ARGV[4] == '1' then
    redis.call('HSET', KEYS[1], 'm', '')
    redis.call('UNLINK', KEYS[1])
  end
  forget()
  return { 0, '', here }
end
if ARGV[2] ~= '' and expiry(s) > tonumber(ARGV[2]) then
  if s.due ~= expiry(s) then
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', redis.call('PTTL', KEYS[1]) + expiry(s) - s.due))
    s.due = expiry(s)
    place(KEYS[2], KEYS[3], id, s.due)
    store(KEYS[1], s, {})
  end
  return { 0, '', here }
end
redis.call('UNLINK', KEYS[1])
forget()
redis.call(ARGV[1], KEYS[1], '0')
return { 1, '', here }
`);
