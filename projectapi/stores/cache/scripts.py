"""The Lua scripts: every change of a key in Redis is one of these five, and each may be repeated without harm.

A key holds, by its first byte:

- ``V`` an answer (see entry.py), or the id of a generation of lists;
- ``L`` + token (+ generation): a reader is reading the database and may store what it found;
- ``W`` + mark: a writer is between the announcement of its write and the settlement;
- ``X`` + marks: several writers are, or were at the same time: the last one to settle must not publish.

A writer's mark is its token and the moment, in milliseconds of the server's clock, from which it counts as dead. Without that
moment one dead writer would stay in the ``X`` of a busy key for as long as others keep writing.
"""

from __future__ import annotations

_OTHERS = """
local function others(value, token)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local marks = ''
  for position = 2, #value, 29 do
    local mark = string.sub(value, position, position + 28)
    if string.sub(mark, 1, 16) ~= token and tonumber(string.sub(mark, 17)) > now then marks = marks .. mark end
  end
  return marks, now
end
"""

# KEYS: the keys to announce. ARGV: token, time to live (ms).
BEGIN = (
    _OTHERS
    + """
for _, key in ipairs(KEYS) do
  local value = redis.call('GET', key) or ''
  local state = string.sub(value, 1, 1)
  local marks, now = others((state == 'W' or state == 'X') and value or '', ARGV[1])
  local mark = ARGV[1] .. string.format('%.0f', now + ARGV[2])
  redis.call('SET', key, (marks == '' and 'W' or 'X') .. marks .. mark, 'PX', ARGV[2])
end
return 1
"""
)

# KEYS: n entries, then their copies (n or none).
# ARGV: token, n, '1' when the copies are outdated, the copies' time to live (ms); then for each entry the answer to publish
# ('' for none) and its time to live (ms).
END = (
    _OTHERS
    + """
local count = tonumber(ARGV[2])
for i = 1, count do
  local key, copy, answer, ttl = KEYS[i], KEYS[count + i], ARGV[3 + 2 * i], ARGV[4 + 2 * i]
  local value = redis.call('GET', key) or ''
  local state = string.sub(value, 1, 1)
  local marks = ''
  if state == 'W' or state == 'X' then marks = others(value, ARGV[1]) end
  local publish = state == 'W' and marks == '' and answer ~= ''
      and string.sub(value, 2, 17) == ARGV[1]
  if publish then
    redis.call('SET', key, answer, 'PX', ttl)
  elseif marks ~= '' then
    redis.call('SET', key, 'X' .. marks, 'KEEPTTL')
  elseif state ~= '' then
    redis.call('DEL', key)
  end
  if copy and ARGV[3] == '1' then
    if publish and tonumber(ARGV[4]) > 0 then
      redis.call('SET', copy, answer, 'PX', ARGV[4])
    else
      redis.call('DEL', copy)
    end
  end
end
return 1
"""
)

# KEYS: entry, and for a page of a list the generation.
# ARGV: token, time to live (ms), a new generation id, its time to live (ms).
# Returns {what the key holds, generation, the answer if it holds one}; an 'L' with the caller's token means: yours to fill.
LEASE = """
local generation = ''
if KEYS[2] then
  local value = redis.call('GET', KEYS[2])
  if not value then
    value = 'V' .. ARGV[3]
    redis.call('SET', KEYS[2], value, 'PX', ARGV[4])
  end
  if string.sub(value, 1, 1) ~= 'V' then return {'W', ''} end
  generation = string.sub(value, 2)
end
local value = redis.call('GET', KEYS[1]) or ''
local state = string.sub(value, 1, 1)
if state == 'W' or state == 'X' then return {'W', generation} end
if string.sub(value, 18, 17 + #generation) == generation then
  if state == 'V' then return {'V', generation, value} end
  if state == 'L' then return {value, generation} end
end
value = 'L' .. ARGV[1] .. generation
redis.call('SET', KEYS[1], value, 'PX', ARGV[2])
return {value, generation}
"""

# KEYS: entry, copy.
# ARGV: what the key must begin with, answer, its time to live (ms), the copy's time to live (ms, 0: no copy).
FILL = """
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if tonumber(ARGV[4]) > 0 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4]) end
return 1
"""

# KEYS: entry. ARGV: the lease to give back.
ABANDON = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
