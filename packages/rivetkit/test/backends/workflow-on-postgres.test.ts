// What workflows promise is the same on PostgreSQL: the checks that run everywhere (workflows 15), once more.
import "../workflow/support/on-postgres.ts";
import "../workflow/steps.test.ts";
import "../workflow/loops-and-time.test.ts";
import "../workflow/changed-code.test.ts";
import "../workflow/ends.test.ts";
import "../workflow/history-and-replay.test.ts";
import "../workflow/take-back.test.ts";
import "../workflow/options-and-limits.test.ts";
// Those of messages and branches, where most is read back, also with a cold start at every wait: all would take half a minute.
import "../workflow/support/on-postgres-cold-too.ts";
import "../workflow/queues.test.ts";
import "../workflow/open-messages.test.ts";
import "../workflow/recovery.test.ts";
import "../workflow/branches.test.ts";
import "../workflow/given-back.test.ts";
import "../workflow/compensation.test.ts";
