-- For wrk: says something in conversations 1 to N, one after the other, so that no two turns of one meet. How it is used
-- stands in docs/gateway.md. CONVERSATIONS is N, 100 by default; it takes one thread (-t 1).
local conversations = tonumber(os.getenv("CONVERSATIONS") or "100")
local headers = {
  ["authorization"] = "Bearer s3cret-of-ada",
  ["content-type"] = "application/json",
}
local body = '{"text":"' .. string.rep("what was said before? ", 10) .. '"}'
local threads = {}
local next_one = 0

done_turns, in_progress, others = 0, 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function request()
  next_one = next_one % conversations + 1
  return wrk.format("POST", "/v1/conversations/" .. next_one .. "/messages", headers, body)
end

function response(status, _, answer)
  if status == 200 and answer:find("event: done", 1, true) then
    done_turns = done_turns + 1
  elseif status == 409 then
    in_progress = in_progress + 1
  else
    others = others + 1
  end
end

function done(summary)
  for _, thread in ipairs(threads) do
    print(string.format(
      "turns done: %d, refused because one is in progress: %d, anything else: %d, socket errors: %d",
      thread:get("done_turns"), thread:get("in_progress"), thread:get("others"),
      summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
  end
end
