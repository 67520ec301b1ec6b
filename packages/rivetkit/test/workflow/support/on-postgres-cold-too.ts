// To be imported before checks that run on the PostgreSQL of the run with a cold start at every wait, too.
import { runOn } from "./boundaries.ts";
import { onPostgres } from "./on-postgres.ts";

runOn(
	["PostgreSQL, resident", { yields: false, ...onPostgres }],
	["PostgreSQL, cold start at every wait", { yields: true, ...onPostgres }],
);
