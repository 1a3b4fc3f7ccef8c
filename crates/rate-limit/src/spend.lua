-- The decision of decision.rs, where all nodes see it. One key is one subject.
-- KEYS[1]: its state. ARGV: the cost; the time in microseconds, or '' for the server's own; then for each window its length in
-- microseconds and its limit.
-- Answers whether it was admitted, the time, and for each window: how much counts, the buckets of the first and the last spend that
-- counts, and the bucket after which there is room for the cost; -1 stands for none.
local function is_state(value)
  if type(value) ~= 'table' then return false end
  for _, window in pairs(value) do
    if type(window) ~= 'table' or #window < 3 or #window % 2 == 0 then return false end
    for _, number in pairs(window) do
      if type(number) ~= 'number' then return false end
    end
    if window[1] < 1 then return false end
  end
  return true
end

local cost = tonumber(ARGV[1])
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- In two steps, since sixty times the time is more than a number holds exactly.
local function bucket_at(length)
  local rest = math.fmod(now, length)
  return (now - rest) / length * 60 + math.floor(rest * 60 / length)
end

-- What is there and is none of ours says nothing, and is written over.
local stored = redis.pcall('GET', KEYS[1])
local state = {}
if type(stored) == 'string' then
  local is_read, value = pcall(cmsgpack.unpack, stored)
  if is_read and is_state(value) then state = value end
end
local admitted, is_new_plan, windows, limits = 1, false, {}, {}

-- A window is {length, latest bucket, total, bucket, count, bucket, count, …}, oldest first.
for place = 1, (#ARGV - 2) / 2 do
  local length, limit = tonumber(ARGV[2 * place + 1]), tonumber(ARGV[2 * place + 2])
  local window = {length, bucket_at(length), 0}
  local earlier = state[place]
  if earlier then
    local latest = math.max(earlier[2], bucket_at(earlier[1]))
    local live = {length, latest, 0}
    for at = 4, #earlier, 2 do
      if earlier[at] + 60 > latest then
        live[#live + 1] = earlier[at]
        live[#live + 1] = earlier[at + 1]
        live[3] = live[3] + earlier[at + 1]
      end
    end
    if earlier[1] == length then
      window = live
    else
      -- What counts in the earlier window counts in the new one, as if it were spent now.
      is_new_plan = true
      if live[3] > 0 then window = {length, window[2], live[3], window[2], live[3]} end
    end
  end
  if window[3] + cost > limit then admitted = 0 end
  windows[place], limits[place] = window, limit
end

if admitted == 1 and cost > 0 then
  for _, window in ipairs(windows) do
    local last = #window - 1
    if last >= 4 and window[last] == window[2] then
      window[last + 1] = window[last + 1] + cost
    else
      window[#window + 1] = window[2]
      window[#window + 1] = cost
    end
    window[3] = window[3] + cost
  end
end
if (admitted == 1 and cost > 0) or is_new_plan then
  local expires = 0
  for _, window in ipairs(windows) do
    expires = math.max(expires, math.ceil((window[2] + 60) * (window[1] / 60)) - now)
  end
  redis.call('SET', KEYS[1], cmsgpack.pack(windows), 'PX', math.ceil(expires / 1000) + 1000)
end

local answer = {admitted, now}
for place, window in ipairs(windows) do
  local room_after = -1
  if admitted == 0 and cost <= limits[place] then
    local excess = window[3] + cost - limits[place]
    for at = 4, #window, 2 do
      if excess <= 0 then break end
      excess = excess - window[at + 1]
      room_after = window[at]
    end
  end
  answer[#answer + 1] = window[3]
  answer[#answer + 1] = window[4] or -1
  answer[#answer + 1] = #window > 4 and window[#window - 1] or -1
  answer[#answer + 1] = room_after
end
return answer
