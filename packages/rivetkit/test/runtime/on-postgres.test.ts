// What actors and their clients see is the same on PostgreSQL: tests of the runtime that name no store, once more.
import { openPostgresStore } from "@rivetkit/engine";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { standOn } from "../support/test-runtime.ts";
import "./save-state.test.ts";
import "./rollback-on-error.test.ts";
import "./destroy.test.ts";
import "./call-ids.test.ts";
import "./events.test.ts";

standOn(async () => openPostgresStore({ url: await emptiedDatabase() }));
