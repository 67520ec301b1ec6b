import { catalogueError } from "@rivetkit/protocol";
import type { Bindings, SqlRow, SqlValue } from "../engine/engine.ts";
import { SqliteError } from "../engine/sqlite-error.ts";
import type { ResultLimits } from "../sql/result-reader.ts";
import { QUERY_PROGRAM } from "./program.ts";

/** Processes of one host at the same time; each takes a core and about 50 MB while it runs. */
const PROCESSES_MAX = 4;

/** What is asked of a database. Statements only read; their rows follow each other. */
export interface Query {
	readonly path: string;
	/** Pragmas that the actor has set on its own connection. */
	readonly settings: readonly string[];
	readonly statements: readonly { readonly text: string; readonly bindings: Bindings }[];
	readonly limits: ResultLimits;
}

/** What a process answers. */
type Answer =
	| { readonly rows: Record<string, SqlValue>[] }
	| { readonly refused: "rows" | "bytes" | "time" }
	| { readonly message: string; readonly errcode?: number };

/** The part of Node.js that is used; loaded on need, because not every runtime has it. */
type ChildProcesses = typeof import("node:child_process");

/**
 * Runs queries that may have no end, each in a process of its own that is ended after `timeoutMs`. The process that asks
 * goes on meanwhile.
 */
export class QueryProcesses {
	#running = 0;
	readonly #waiting: (() => void)[] = [];

	/**
	 * Throws `SqliteError`, `database.too_many_rows`, `database.result_too_large`, `database.statement_timed_out`, and what
	 * `signal` was aborted with.
	 */
	async run(query: Query, signal: AbortSignal): Promise<SqlRow[]> {
		signal.throwIfAborted();
		if (this.#running >= PROCESSES_MAX) await this.#turn(signal);
		else this.#running++;
		try {
			// Its turn may have come in the moment of the abort.
			signal.throwIfAborted();
			return rowsIn(await answerOf(query, signal), query);
		} finally {
			const next = this.#waiting.shift();
			if (next) next();
			else this.#running--;
		}
	}

	#turn(signal: AbortSignal): Promise<void> {
		return new Promise<void>((resolve, reject) => {
			const enter = () => {
				signal.removeEventListener("abort", leave);
				resolve();
			};
			const leave = () => {
				this.#waiting.splice(this.#waiting.indexOf(enter), 1);
				reject(signal.reason);
			};
			signal.addEventListener("abort", leave, { once: true });
			this.#waiting.push(enter);
		});
	}
}

/**
 * Whether there can be such processes: on Node.js, unless its permissions allow none, or the program is not Node.js
 * itself but an executable that would begin again.
 */
export function canQueryApart(): boolean {
	const { versions, permission } = process;
	if (["bun", "deno", "electron"].some((runtime) => versions[runtime] !== undefined)) return false;
	const sea = process.getBuiltinModule?.("node:sea");
	if (process.getBuiltinModule === undefined || sea?.isSea()) return false;
	// Only there when permissions are asked for.
	const given = permission as typeof permission | undefined;
	return given === undefined || (given.has("child") && given.has("worker"));
}

/** What Node.js and SQLite look at; the secrets of the host are not for it, nor what loads code into that. */
const VARIABLES: readonly string[] = [
	"TZ",
	"TMPDIR",
	"SQLITE_TMPDIR",
	"LD_LIBRARY_PATH",
	// Windows
	"SystemRoot",
	"TEMP",
	"TMP",
];

function environment(): NodeJS.ProcessEnv {
	const given = VARIABLES.map((name) => [name, process.env[name]] as const);
	return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function answerOf(query: Query, signal: AbortSignal): Promise<Answer> {
	const { spawn }: ChildProcesses = process.getBuiltinModule("node:child_process");
	return new Promise<Answer>((resolve, reject) => {
		const child = spawn(process.execPath, ["--no-warnings", "-e", QUERY_PROGRAM], {
			stdio: ["ignore", "ignore", "ignore", "ipc"],
			serialization: "advanced",
			env: environment(),
			windowsHide: true,
		});
		let answer: Answer | null = null;
		const kill = () => void child.kill("SIGKILL");
		signal.addEventListener("abort", kill, { once: true });
		child.once("message", (message) => {
			answer = message as Answer;
		});
		child.once("error", reject);
		// Not before: it has the file open.
		child.once("close", (code, killedBy) => {
			signal.removeEventListener("abort", kill);
			if (signal.aborted) reject(signal.reason);
			else if (answer) resolve(answer);
			else
				reject(new Error(`The process of a query ended without an answer (${code ?? killedBy})`));
		});
		child.send(query, (error) => {
			if (error) kill();
		});
	});
}

function rowsIn(answer: Answer, { statements, limits }: Query): SqlRow[] {
	if ("rows" in answer) {
		for (const row of answer.rows) {
			for (const [name, value] of Object.entries(row)) {
				if (typeof value !== "bigint") continue;
				const number = Number(value);
				if (Number.isSafeInteger(number)) row[name] = number;
			}
		}
		return answer.rows;
	}
	if ("refused" in answer) {
		const { rowsMax, resultBytesMax, timeoutMs } = limits;
		switch (answer.refused) {
			case "rows":
				throw catalogueError("database.too_many_rows", { limit: rowsMax });
			case "bytes":
				throw catalogueError("database.result_too_large", { limit: resultBytesMax });
			case "time":
				throw catalogueError("database.statement_timed_out", { limit: timeoutMs });
		}
	}
	const { message, errcode } = answer;
	if (errcode === undefined) throw new Error(message);
	throw new SqliteError(message, errcode, statements.map(({ text }) => text).join("; "));
}
