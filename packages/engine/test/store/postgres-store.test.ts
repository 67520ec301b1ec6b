import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { openPostgresStore } from "../../src/store/postgres/open-postgres-store.ts";
import { storeConformance } from "./conformance/suite.ts";

storeConformance(
	"PostgreSQL",
	async (options) => openPostgresStore({ url: await emptiedDatabase(), ...options }),
	{ ordersReadsOfMany: false },
);
