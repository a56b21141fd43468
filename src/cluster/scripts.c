/* Scripts, because each decides and acts in one step that no other server can come between: a
 * generator that was stopped for a while, and does not know yet that another has taken over,
 * cannot publish. Numbers go through Lua's doubles, which are exact to 2^53; epochs are
 * milliseconds, far below. Redis' own clock makes the epochs.
 *
 * A Redis that is out of memory refuses to store (OOM) but publishes and extends the lease; so
 * what stores is allowed to fail, and says so. */
#include "cluster/scripts.h"

#define KEEP_FUNCTION                                                                              \
    "local function keep(key, epoch, seq, json)\n"                                                 \
    "  local kept = redis.pcall('HMGET', key, 'epoch', 'seq')\n"                                   \
    "  if kept.err then return 0, 0, kept.err end\n"                                               \
    "  local e, s = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0\n"                              \
    "  local mine_e, mine_s = tonumber(epoch), tonumber(seq)\n"                                    \
    "  if mine_e < e or (mine_e == e and mine_s <= s) then return e, s, '' end\n"                  \
    "  local done = redis.pcall('HSET', key, 'epoch', epoch, 'seq', seq, 'json', json)\n"          \
    "  if type(done) == 'table' and done.err then return e, s, done.err end\n"                     \
    "  return mine_e, mine_s, ''\n"                                                                \
    "end\n"

const char script_heartbeat[] =
    "local id, role, ms = ARGV[1], ARGV[2], ARGV[3]\n"
    "local seen, held = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
    "local fault = ''\n"
    "local function try(...)\n"
    "  local done = redis.pcall(...)\n"
    "  if type(done) == 'table' and done.err then fault = done.err return false end\n"
    "  return done\n"
    "end\n"
    "local holder = redis.call('GET', KEYS[1])\n"
    /* A server whose role it is to generate comes before one that merely could. */
    "if role == 'generator' then try('SET', KEYS[3], id, 'PX', ms)\n"
    "elseif role == 'auto' and redis.call('EXISTS', KEYS[3]) == 1 then role = 'none' end\n"
    "if holder == id and role == 'none' then\n"
    "  redis.call('DEL', KEYS[1])\n"
    "  holder = false\n"
    "elseif holder == id then redis.call('PEXPIRE', KEYS[1], ms)\n"
    "elseif not holder and role ~= 'none' and try('SET', KEYS[1], id, 'PX', ms) then\n"
    "  holder, held = id, 0\n"
    "end\n"
    "local top = tonumber(redis.call('GET', KEYS[2]) or '0') or 0\n"
    "local epoch = math.max(top, seen)\n"
    /* Where no server generates there must be an epoch too, to number what other programs
     * publish. */
    "if epoch == 0 or (holder == id and (held == 0 or held < epoch)) then\n"
    "  local now = redis.call('TIME')\n"
    "  epoch = math.max(epoch + 1, now[1] * 1000 + math.floor(now[2] / 1000))\n"
    "end\n"
    "if epoch > top then try('SET', KEYS[2], string.format('%.0f', epoch)) end\n"
    "local left = redis.call('PTTL', KEYS[1])\n"
    "if left == -1 then redis.call('PEXPIRE', KEYS[1], ms) end\n" /* not one of ours has set it */
    "return {holder or '', string.format('%.0f', epoch), left, fault}\n";

const char script_release[] =
    "for i = 1, 2 do\n"
    "  if redis.call('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end\n"
    "end\n"
    "return 0\n";

const char script_publish[] =
    KEEP_FUNCTION "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1, ''} end\n"
                  "local _, _, fault = keep(KEYS[2], ARGV[3], ARGV[4], ARGV[5])\n"
                  "return {redis.call('PUBLISH', ARGV[2], ARGV[5]), fault}\n";

const char script_keep[] =
    KEEP_FUNCTION "local epoch, seq = keep(KEYS[1], ARGV[1], ARGV[2], ARGV[3])\n"
                  "return {string.format('%.0f', epoch), string.format('%.0f', seq)}\n";
