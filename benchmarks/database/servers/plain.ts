// node:sqlite in WAL mode with synchronous = FULL behind node:http: statements run as they are in one
// transaction per request, whose end syncs on the event loop.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { announce } from "../../src/servers/child.ts";
import { ROWS, SCHEMA, type WorkName } from "../work.ts";

const folder = process.env.BENCH_STORAGE;
if (folder === undefined) throw new Error("BENCH_STORAGE is not set");

interface Plain {
	readonly database: DatabaseSync;
	readonly statements: Readonly<Record<"insert" | "select" | "update", StatementSync>>;
}

const databases = new Map<string, Plain>();

function databaseOf(id: string): Plain {
	let plain = databases.get(id);
	if (plain === undefined) {
		const database = new DatabaseSync(join(folder as string, `${id}.sqlite`));
		database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${SCHEMA}`);
		plain = {
			database,
			statements: {
				insert: database.prepare("INSERT INTO items (name, amount) VALUES (?, ?)"),
				select: database.prepare("SELECT * FROM items WHERE id = ?"),
				update: database.prepare("UPDATE items SET amount = amount + 1 WHERE id = ?"),
			},
		};
		databases.set(id, plain);
	}
	return plain;
}

/** The same as `doWork`, without a wait in between. */
function work({ database, statements }: Plain, name: WorkName, count: number): number {
	const { insert, select, update } = statements;
	const began = performance.now();
	switch (name) {
		case "fill":
			database.exec(
				`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO items (name, amount) SELECT 'name' || i, i FROM n`,
			);
			break;
		case "inserts":
		case "insertsTogether":
			database.exec("BEGIN");
			for (let index = 0; index < count; index++) insert.run(`name${index}`, index);
			break;
		case "selects":
			database.exec("BEGIN");
			for (let index = 0; index < count; index++) select.get(1 + ((index * 7_919) % ROWS));
			break;
		case "updates":
			database.exec("BEGIN");
			for (let index = 0; index < count; index++) update.run(1 + ((index * 7_919) % ROWS));
			break;
		case "scan":
			if (database.prepare(`SELECT * FROM items LIMIT ${count}`).all().length !== count) {
				throw new Error("rows are missing");
			}
			break;
		case "one":
			insert.run("one", count);
			break;
	}
	const tookMs = performance.now() - began;
	if (database.isTransaction) database.exec("COMMIT");
	return tookMs;
}

const server = createServer((request, response) => {
	const chunks: Buffer[] = [];
	request.on("data", (chunk: Buffer) => chunks.push(chunk));
	request.on("end", () => {
		const body = JSON.parse(Buffer.concat(chunks).toString());
		const [, first, id, , action] = (request.url ?? "").split("/");
		const answer =
			first === "gateway"
				? { output: action === "nothing" ? 0 : work(databaseOf(id!), body.args[0], body.args[1]) }
				: { actor: { actor_id: body.key }, created: true };
		const text = JSON.stringify(answer);
		response.writeHead(200, {
			"content-type": "application/json",
			"content-length": Buffer.byteLength(text),
		});
		response.end(text);
	});
});
server.listen(0, "127.0.0.1", () => announce((server.address() as AddressInfo).port));
