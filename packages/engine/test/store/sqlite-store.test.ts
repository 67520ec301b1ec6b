import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { storeConformance } from "./conformance/suite.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

storeConformance("SQLite", (options) =>
	openSqliteStore({ directory: temporaryDirectory(), ...options }),
);
