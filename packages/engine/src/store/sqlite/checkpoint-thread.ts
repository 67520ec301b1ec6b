import { Worker } from "node:worker_threads";
import type { SqliteModule, SqliteRow } from "./engine.ts";

/**
 * The thread's program: it opens connections to the database and runs what it is told. It is a text
 * because a file of its own would have to be found from sources, from the build and from bundles, on
 * three runtimes; and it decides nothing, so that all logic is in typed code.
 */
const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
const { module: name, file, setup } = workerData;
const sqlite = process.getBuiltinModule?.(name) ?? require(name);
const Database = sqlite.DatabaseSync ?? sqlite.Database;
const connections = new Map();
function connect(name) {
	let connection = connections.get(name);
	if (connection === undefined) {
		connection = new Database(file);
		connections.set(name, connection);
		connection.exec(setup);
	}
	return connection;
}
parentPort.on("message", ({ id, connection, statements }) => {
	try {
		if (statements === null) {
			for (const open of connections.values()) open.close();
			connections.clear();
			parentPort.postMessage({ id, rows: [] });
			return;
		}
		let rows = [];
		for (const sql of statements) {
			const statement = connect(connection).prepare(sql);
			rows = statement.all().map((row) => ({ ...row }));
			statement.finalize?.();
		}
		parentPort.postMessage({ id, rows });
	} catch (error) {
		const { message, name, errcode, errno } = error;
		parentPort.postMessage({ id, error: { message, name, errcode, errno } });
	}
});
`;

/** Which of the thread's connections to the database runs the statements; opened at first use. */
export type ThreadConnection = "checkpoint" | "pinA" | "pinB";

interface Answer {
	readonly id: number;
	readonly rows?: SqliteRow[];
	readonly error?: { message: string; name: string; errcode?: number; errno?: number };
}

interface Call {
	readonly resolve: (rows: SqliteRow[]) => void;
	readonly reject: (error: Error) => void;
}

/** Runs SQL on the same database in a worker thread. Does not keep the process alive. */
export class CheckpointThread {
	readonly #worker: Worker;
	readonly #calls = new Map<number, Call>();
	#callCount = 0;
	#ended: Error | undefined;

	/** `setup` runs on each connection when it is opened. */
	constructor(module: SqliteModule, file: string, setup: string) {
		// Without the process's own flags, which may load code that has no business here; and Node 22
		// has said already that its SQLite is experimental.
		this.#worker = new Worker(PROGRAM, {
			eval: true,
			execArgv: ["--no-warnings"],
			name: "rivetkit-checkpoint",
			workerData: { module, file, setup },
		});
		this.#worker.unref();
		this.#worker.on("message", (answer: Answer) => this.#answered(answer));
		this.#worker.on("error", (error) => this.#end(toError(error)));
		this.#worker.on("exit", () => this.#end(new Error("The checkpoint thread ended")));
	}

	/** The rows of the last statement. Rejects with the engine's error; what came before stays done. */
	run(connection: ThreadConnection, ...statements: string[]): Promise<SqliteRow[]> {
		return this.#call({ connection, statements });
	}

	/** Closes the thread's connections, then ends it. */
	async close(): Promise<void> {
		if (this.#ended === undefined) {
			await this.#call({ statements: null });
		}
		await this.#worker.terminate();
	}

	#call(request: object): Promise<SqliteRow[]> {
		return new Promise((resolve, reject) => {
			if (this.#ended !== undefined) {
				reject(this.#ended);
				return;
			}
			this.#callCount += 1;
			this.#calls.set(this.#callCount, { resolve, reject });
			this.#worker.ref();
			this.#worker.postMessage({ id: this.#callCount, ...request });
		});
	}

	#answered({ id, rows, error }: Answer): void {
		const call = this.#calls.get(id);
		this.#calls.delete(id);
		if (this.#calls.size === 0) {
			this.#worker.unref();
		}
		if (error === undefined) {
			call?.resolve(rows ?? []);
		} else {
			call?.reject(Object.assign(new Error(error.message), error));
		}
	}

	#end(reason: Error): void {
		this.#ended ??= reason;
		const calls = [...this.#calls.values()];
		this.#calls.clear();
		for (const call of calls) {
			call.reject(this.#ended);
		}
	}
}

function toError(error: unknown): Error {
	return error instanceof Error ? error : new Error(String(error));
}
