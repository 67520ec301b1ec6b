/**
 * The program of a process that runs one query. It is a text because a file of its own would have to be found from
 * sources, from the build and from bundles. SQLite cannot be interrupted through `node:sqlite`, and a thread
 * whose statement computes can be ended by nobody; a process can, also by its own first thread while the second one reads.
 */
export const QUERY_PROGRAM = `
const { Worker } = require("node:worker_threads");
const end = () => process.kill(process.pid, "SIGKILL");
// Nobody is left to hear the answer, or to end this.
process.once("disconnect", end);
process.once("message", (query) => {
	const answer = (message) => process.send(message, end);
	const reader = new Worker(${JSON.stringify(readerProgram())}, { eval: true, workerData: query });
	// Longer ones would be over at once.
	const timeoutMs = Math.min(query.limits.timeoutMs, 2 ** 31 - 1);
	reader.once("online", () => setTimeout(answer, timeoutMs, { refused: "time" }));
	reader.once("message", answer);
	reader.once("error", ({ message }) => answer({ message }));
});
`;

function readerProgram(): string {
	return `
const { parentPort, workerData } = require("node:worker_threads");
const { DatabaseSync } = require("node:sqlite");
const { path, settings, statements, limits } = workerData;
const sizeOf = (value) => typeof value === "string" ? value.length : value?.byteLength ?? 8;
function read() {
	const database = new DatabaseSync(path, { readOnly: true });
	database.enableDefensive?.(true);
	for (const setting of settings) database.exec(setting);
	const rows = [];
	for (const { text, bindings } of statements) {
		let count = 0;
		let bytes = 0;
		const statement = database.prepare(text);
		statement.setReadBigInts(true);
		const given = Array.isArray(bindings) ? bindings : [bindings];
		for (const row of statement.iterate(...given)) {
			rows.push(row);
			for (const value of Object.values(row)) bytes += sizeOf(value);
			if (++count > limits.rowsMax) return { refused: "rows" };
			if (bytes > limits.resultBytesMax) return { refused: "bytes" };
		}
	}
	return { rows };
}
let result;
try {
	result = read();
} catch ({ message, errcode }) {
	result = { message, errcode };
}
parentPort.postMessage(result);
`;
}
