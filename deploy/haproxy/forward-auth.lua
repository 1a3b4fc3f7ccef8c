-- Asks TigerTrust whether a request may pass. For HAProxy 2.6 and later, with the HTTP client that it has built in.
--
--   setenv TIGERTRUST_URL http://127.0.0.1:8080
--   lua-load-per-thread /etc/haproxy/forward-auth.lua
--   http-request lua.tigertrust ?scope=certificates:read
--   http-request deny deny_status 503 unless { var(txn.tigertrust_pass) -m bool }
--
-- A caller that may pass has the variable txn.tigertrust_pass set to true, and the X-Auth-* headers of its request are those that
-- TigerTrust has answered with. Any other is answered as TigerTrust answers. If that fails, the variable is not set: the third line refuses.

-- Arguments of lua-load-per-thread do not arrive in all versions.
local base_url = os.getenv("TIGERTRUST_URL")

-- What TigerTrust looks at, and nothing else. A header that came more than once goes along as often: TigerTrust refuses it then.
local ASKED_WITH = {
  "host", "authorization", "x-agent-api-key", "cookie", "x-workspace-id", "user-agent", "origin", "sec-fetch-site",
}

-- For the backend.
local IDENTITY = {
  "x-auth-type", "x-auth-key-id", "x-auth-key-type", "x-auth-scopes", "x-auth-user-id", "x-auth-role", "x-auth-workspace-id",
  "x-auth-external-id",
}

-- For the client, by the variable that holds it until the backend has answered.
local LIMITS = {
  tigertrust_limit_policy = "ratelimit-policy",
  tigertrust_limit = "ratelimit",
  tigertrust_limit_limit = "x-ratelimit-limit",
  tigertrust_limit_remaining = "x-ratelimit-remaining",
  tigertrust_limit_reset = "x-ratelimit-reset",
}

-- What belongs to the connection with TigerTrust, and not to the answer.
local OF_THE_CONNECTION = {
  ["connection"] = true, ["content-length"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true,
}

-- Milliseconds.
local TIMEOUT = 5000

local function question(txn)
  local received = txn.http:req_get_headers()
  local headers = {}
  for _, name in ipairs(ASKED_WITH) do
    local values = received[name]
    if values then
      headers[name] = {}
      for index = 0, #values do
        table.insert(headers[name], values[index])
      end
    end
  end
  -- These are for HAProxy to say, whatever the client says.
  headers["x-forwarded-for"] = { txn.f:src() }
  headers["x-forwarded-method"] = { txn.f:method() }
  return headers
end

local function first(answer, name)
  local values = answer.headers[name]
  return values and values[0] or ""
end

local function refuse(txn, answer)
  local reply = txn:reply({ status = answer.status, reason = answer.reason, body = answer.body or "" })
  for name, values in pairs(answer.headers) do
    if not OF_THE_CONNECTION[name] then
      for index = 0, #values do
        reply:add_header(name, values[index])
      end
    end
  end
  txn:done(reply)
end

local function check(txn, query)
  local answer = core.httpclient():get({
    url = base_url .. "/api/auth/check" .. (query or ""),
    headers = question(txn),
    timeout = TIMEOUT,
  })
  local status = answer and answer.status or 0
  if status >= 200 and status < 300 then
    for _, name in ipairs(IDENTITY) do
      txn.http:req_set_header(name, first(answer, name))
    end
    for variable, name in pairs(LIMITS) do
      txn:set_var("txn." .. variable, first(answer, name))
    end
    txn:set_var("txn.tigertrust_pass", true)
  elseif status >= 400 and status < 500 and first(answer, "x-auth-code") ~= "" then
    refuse(txn, answer)
  end
end

core.register_action("tigertrust", { "http-req" }, check, 1)
