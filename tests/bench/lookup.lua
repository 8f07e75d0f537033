-- Look-ups by booking, any of the first ROWS that `pace` posted with the key "look":
--   wrk -s lookup.lua URL -- TOKEN ROWS
local rows

function init(arguments)
  math.randomseed(os.time())
  wrk.headers["Authorization"] = "Bearer " .. arguments[1]
  rows = tonumber(arguments[2])
end

function request()
  return wrk.format("GET", "/v1/submissions/look_" .. math.random(0, rows - 1))
end
