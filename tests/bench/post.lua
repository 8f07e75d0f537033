-- The load: every request another booking and another person, 16 fields as the web frontend sends.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local body = '{"booking_uid":"%s","attendee_name":"Maria Gonzalez","attendee_email":"p%s@example.com",' ..
  '"age_range":"36-45","current_medications":"yes","current_medications_details":"Finasteride 1mg daily",' ..
  '"allergies":"none","medical_conditions":"yes","medical_conditions_details":"Mild hypertension, controlled",' ..
  '"previous_surgeries":"none","hair_loss_duration":"5-10-years","hair_loss_pattern":["crown","hairline"],' ..
  '"family_history":["father","maternal-grandfather"],"previous_treatments":["minoxidil","prp"]}'
local sent = 0

function init()
  math.randomseed(os.time())
  salt = math.random(1e9)
end

function request()
  sent = sent + 1
  local key = string.format("bk%d_%d", salt, sent)
  return wrk.format(nil, "/v1/submissions", nil, string.format(body, key, key))
end
