/** Opens the store in argv[2], tells how that went in one line of JSON, and holds it until killed. */
import { openSqliteStore } from "../../../src/store/sqlite/open-sqlite-store.ts";
import { StoreError } from "../../../src/store/store.ts";

const keepAlive = setInterval(() => {}, 60_000);
try {
	await openSqliteStore({ directory: process.argv[2]! });
	console.log(JSON.stringify({ opened: true }));
} catch (error) {
	clearInterval(keepAlive);
	if (!(error instanceof StoreError)) {
		throw error;
	}
	const { code, path, message } = error;
	console.log(JSON.stringify({ opened: false, code, path, message }));
}
