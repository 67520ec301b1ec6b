// Connections that sleep with their actor, and clients that come back, on PostgreSQL once more.
import { openPostgresStore } from "@rivetkit/engine";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { standOn } from "../support/test-runtime.ts";
import "../runtime/hibernation.test.ts";
import "../runtime/resume.test.ts";

standOn(async () => openPostgresStore({ url: await emptiedDatabase() }));
