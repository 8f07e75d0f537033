-- What a service meets all day, in turns: posts, revisions, look-ups, lists, drafts, and bodies and
-- bookings that are refused:
--   wrk -s mix.lua URL -- TOKEN KEY FILE
-- FILE has a line "BOOKING LINK-TOKEN" for each draft. Prints how many replies there were of each status.
local json = { ["Content-Type"] = "application/json" }
local body = '{"booking_uid":"%s","attendee_name":"Maria Gonzalez","attendee_email":"%s@example.com",' ..
  '"allergies":"yes","allergies_details":"%s","previous_treatments":["minoxidil","prp"]}'
local threads = {}
local drafts, sent = {}, 0

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  math.randomseed(os.time())
  staff = { Authorization = "Bearer " .. arguments[1] }
  key = arguments[2]
  for line in io.lines(arguments[3]) do
    local booking, token = line:match("(%S+) (%S+)")
    table.insert(drafts, { path = "/v1/drafts/" .. booking,
                           headers = { ["X-Intake-Link"] = token, ["If-Match"] = "*",
                                       ["Content-Type"] = "application/json" } })
  end
end

local function post(number)
  local booking = key .. "_" .. number
  local text = string.rep("penicillin, latex; ", math.random(1, 40))
  return wrk.format("POST", "/v1/submissions", json, string.format(body, booking, booking, text))
end

-- One that was posted a while ago, so that it is there.
local function earlier()
  return math.random(1, math.max(1, sent - 200))
end

function request()
  local turn = math.random(100)
  if turn <= 30 or sent < 400 then
    sent = sent + 1
    return post(sent)
  elseif turn <= 45 then
    return post(earlier())
  elseif turn <= 70 then
    return wrk.format("GET", "/v1/submissions/" .. key .. "_" .. earlier(), staff)
  elseif turn <= 75 then
    return wrk.format("GET", "/v1/submissions?limit=20&status=processed", staff)
  elseif turn <= 90 then
    local draft = drafts[math.random(#drafts)]
    return wrk.format(turn <= 83 and "PUT" or "GET", draft.path, draft.headers,
                      turn <= 83 and '{"allergies":"yes","age_range":"90"}' or nil)
  elseif turn <= 93 then
    return wrk.format("POST", "/v1/submissions", json, '{"booking_uid":')
  elseif turn <= 97 then
    return wrk.format("POST", "/v1/submissions", json, '{"booking_uid":"{bookingUid}","unknown":[1,2,3]}')
  end
  return wrk.format("GET", "/v1/submissions/nobody_" .. sent, staff)
end

-- A steady pace, and not as fast as it goes: what is looked for are leaks.
function delay()
  return 20
end

function response(status)
  local name = "status_" .. status
  _G[name] = (_G[name] or 0) + 1
end

function done()
  io.write("Statuses:")
  for status = 100, 599 do
    local total = 0
    for _, thread in ipairs(threads) do
      total = total + (thread:get("status_" .. status) or 0)
    end
    if total > 0 then
      io.write(" " .. status .. "=" .. total)
    end
  end
  io.write("\n")
end
