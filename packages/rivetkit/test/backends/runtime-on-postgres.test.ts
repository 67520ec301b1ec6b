// What actors and their clients see is the same on PostgreSQL: tests of the runtime that name no store, once more.
import { openPostgresStore } from "@rivetkit/engine";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { standOn } from "../support/test-runtime.ts";
import "../runtime/save-state.test.ts";
import "../runtime/rollback-on-error.test.ts";
import "../runtime/destroy.test.ts";
import "../runtime/call-ids.test.ts";
import "../runtime/events.test.ts";

standOn(async () => openPostgresStore({ url: await emptiedDatabase() }));
