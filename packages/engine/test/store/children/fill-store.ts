/**
 * Writes 64 KiB batches to the store in argv[2] until one fails. Prints the number of the first actor's
 * batches that were confirmed, then the error, as lines of JSON.
 */
import { openSqliteStore } from "../../../src/store/sqlite/open-sqlite-store.ts";
import { StoreError } from "../../../src/store/store.ts";
import { acquiredActor, text } from "../fixtures.ts";

const store = await openSqliteStore({ directory: process.argv[2]! });
const { actorId } = await acquiredActor(store);
console.log(JSON.stringify({ actorId }));
for (let confirmed = 0; ; confirmed++) {
	try {
		await store.commit({
			actorId,
			generation: 0,
			ops: [
				{ op: "put", key: text(`k${confirmed}`), value: new Uint8Array(65_536).fill(confirmed) },
			],
		});
	} catch (error) {
		if (!(error instanceof StoreError)) {
			throw error;
		}
		console.log(JSON.stringify({ confirmed, code: error.code, message: error.message }));
		break;
	}
}
const after = await store.get(actorId, [text("k0")]).then(
	() => "read",
	(error: StoreError) => error.code,
);
console.log(JSON.stringify({ after }));
await store.close();
