-- Requests for wrk: wrk -s bench.lua URL -- CASE KEYS CALLER
-- CASE is `check` or `verify`, KEYS a file with a key on each line, CALLER the key that asks for `verify`.
-- With one key wrk repeats one request; with more it goes through them in order, again and again.

local function request_of(case, key, caller)
  if case == "check" then
    return "GET", "/api/auth/check", { ["X-Agent-API-Key"] = key }, nil
  end
  local headers = { ["X-Agent-API-Key"] = caller, ["Content-Type"] = "application/json" }
  return "POST", "/api/keys/verify", headers, '{"key":"' .. key .. '"}'
end

function init(arguments)
  local case, file, caller = arguments[1], arguments[2], arguments[3]
  local requests = {}
  for key in io.lines(file) do
    wrk.method, wrk.path, wrk.headers, wrk.body = request_of(case, key, caller)
    wrk.headers["Host"] = "127.0.0.1"
    requests[#requests + 1] = wrk.format()
  end
  if #requests > 1 then
    local next = 0
    request = function()
      next = next % #requests + 1
      return requests[next]
    end
  end
end
