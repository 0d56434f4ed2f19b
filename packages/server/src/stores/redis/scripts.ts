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
 * Processes of two versions of Catnap may work on one session. A later version leaves these fields as they are and puts what it
 * has to say into fields of other names, which this one does not look at and leaves alone; if that cannot be, it takes other keys.
 *
 * What a key says is not sent once more: the identifier is the end of the session's, and its channel has the same name.
 *
 * A hash that is no session's, because somebody has damaged it, ends a script with the error `UNREADABLE` and the part at
 * fault, and stays as it is.
 *
 * Strings are never compared by order: Lua does that by the server's locale. Nor are long ones in base 36 given to
 * `tonumber`, which on some machines counts to 2^32.
 */
const prelude = `
local function number(x) return string.format('%.17g', x) end
local function time(x)
  if string.byte(x) == 58 then return tonumber(string.sub(x, 2)) end
  if #x < 7 then return tonumber(x, 36) end
  local high, low = tonumber(string.sub(x, 1, -5), 36), tonumber(string.sub(x, -4), 36)
  return high and low and high * 1679616 + low
end
local function assertMay(command, key)
  if not redis.acl_check_cmd(command, key, '0') then error(redis.error_reply('NOPERM ' .. command)) end
end
local function unreadable(part) error(redis.error_reply('UNREADABLE ' .. part)) end
local function identifierOf(key) return string.match(key, '}s:(.*)$') end
local function expiry(s) return math.min(s.ends, s.accessed + s.idle) end
local function parse(text)
  local stamp, rev, accessed, timeout, count, early, created, lifetime =
    string.match(text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  if not stamp then return nil end
  rev, accessed, count, early = tonumber(rev), tonumber(accessed), tonumber(count), tonumber(early)
  local start, idle, lasting = time(created), time(timeout), time(lifetime)
  if not (rev and accessed and count and early and start and idle and lasting) then return nil end
  -- What is infinite, or no number, makes the sum so as well.
  local sum = rev + accessed + count + early + start + idle + lasting
  if sum - sum ~= 0 then return nil end
  local s = { stamp = stamp, rev = rev, start = start, accessed = start + accessed, timeout = timeout, idle = idle,
    count = count, created = created, lifetime = lifetime, ends = start + lasting }
  s.due = expiry(s) - early
  return s
end
local function load(key)
  local text = redis.call('HGET', key, 'm')
  if not text and redis.call('EXISTS', key) == 0 then return nil end
  return text and parse(text) or unreadable('m')
end
local function whose(key)
  local since, subject = string.match(redis.call('HGET', key, 'u') or '- -', '^(%S+) (.*)$')
  if not since then unreadable('u') end
  return since, subject
end
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
-- Longer than thirty thousand years is no time to a server.
local function keep(key, ms) redis.call('PEXPIRE', key, string.format('%.0f', math.min(math.ceil(ms), 1e15))) end
local function index(key, cells, cell, s)
  local e = expiry(s)
  if s.due and e >= s.due and e <= s.due + 60000 then return false end
  place(cells, cell, identifierOf(key), e)
  s.due = e
  return true
end
local function save(key, s, fields, now, linger, moved)
  store(key, s, fields)
  if moved then keep(key, math.max(expiry(s) - now, 0) + 60000 + linger) end
end
`;

export function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** What the server's clock says, in milliseconds. */
export const clock = `
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
`;

/** A script that knows how a session lies. */
export const scriptOfSession = (source: string): Script => script(prelude + source);

/** Answers the server's time. KEYS: one of the server that is meant. */
export const timeScript: Script = script(`${clock}return clock()`);
