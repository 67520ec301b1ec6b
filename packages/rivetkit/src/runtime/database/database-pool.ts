import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "../../log/logger.ts";
import { QueryProcesses } from "../../sqlite/apart/query-processes.ts";
import type { SqliteEngine } from "../../sqlite/engine/engine.ts";
import { loadSqliteEngine } from "../../sqlite/engine/load-engine.ts";

export interface DatabasePoolOptions {
	/** Below it, in `databases`, working files go. Null: a temporary folder. */
	readonly dataDirectory: string | null;
	/** Databases kept open at the same time; about five file descriptors and up to 2 MiB each. */
	readonly openMax: number;
	readonly log: Logger;
}

/** A database that can be closed while nobody uses it, and opens by itself when somebody does. */
export interface PooledDatabase {
	/** Closes it, unless it was used since it was last asked or something needs it open. */
	suspend(): Suspension;
}

export type Suspension = "closed" | "used" | "needed";

const TEMPORARY_PREFIX = "rivetkit-databases-";

/**
 * What the databases of one host share: the SQLite engine, the folder of working files, and how many of
 * them may be open. Beyond that the one that was not used for longest is closed.
 */
export class DatabasePool {
	readonly queries = new QueryProcesses();
	readonly #options: DatabasePoolOptions;
	/** Those opened or found in use last come last. */
	readonly #open = new Set<PooledDatabase>();
	readonly #claims = new Map<string, Promise<void>>();
	#temporary: string | null = null;
	#warned = false;

	constructor(options: DatabasePoolOptions) {
		this.#options = options;
	}

	/** Throws `database.unsupported_runtime`. */
	get engine(): SqliteEngine {
		return loadSqliteEngine();
	}

	/** How many databases are open. */
	get openCount(): number {
		return this.#open.size;
	}

	pathOf(actorId: string): string {
		return join(this.#directory(), `${encodeURIComponent(actorId)}.sqlite`);
	}

	/**
	 * Waits until no earlier incarnation on this host has the actor's working file any more. Returns what
	 * gives it free.
	 */
	async claim(actorId: string): Promise<() => void> {
		for (let held = this.#claims.get(actorId); held; held = this.#claims.get(actorId)) await held;
		let release!: () => void;
		const claim = new Promise<void>((resolve) => {
			release = resolve;
		});
		this.#claims.set(actorId, claim);
		return () => {
			if (this.#claims.get(actorId) === claim) this.#claims.delete(actorId);
			release();
		};
	}

	/** A database is open now. Closes others when there are too many. */
	opened(database: PooledDatabase): void {
		this.#open.add(database);
		if (this.#open.size > this.#options.openMax) this.#closeOthers(database);
	}

	closed(database: PooledDatabase): void {
		this.#open.delete(database);
	}

	/** Waits until every database is closed, and removes the temporary folder. */
	async close(): Promise<void> {
		await Promise.all(this.#claims.values());
		this.#removeTemporary();
	}

	/** Also at the end of a process that does not close its host. */
	readonly #removeTemporary = (): void => {
		if (this.#temporary === null) return;
		fs.rmSync(this.#temporary, { recursive: true, force: true });
		this.#temporary = null;
		process.off("exit", this.#removeTemporary);
	};

	#closeOthers(newest: PooledDatabase): void {
		for (const database of this.#open) {
			if (this.#open.size <= this.#options.openMax) return;
			const outcome = database === newest ? "needed" : database.suspend();
			if (outcome !== "needed") this.#open.delete(database);
			// Comes up again, behind all others.
			if (outcome === "used") this.#open.add(database);
		}
		if (this.#open.size <= this.#options.openMax || this.#warned) return;
		this.#warned = true;
		this.#options.log.warn(
			{ open: this.#open.size, limit: this.#options.openMax },
			"more databases are in use at the same time than maxOpenDatabases allows; they stay open (setup({ maxOpenDatabases }))",
		);
	}

	#directory(): string {
		const { dataDirectory } = this.#options;
		if (dataDirectory !== null) {
			const directory = join(dataDirectory, "databases");
			fs.mkdirSync(directory, { recursive: true });
			return directory;
		}
		if (this.#temporary === null) {
			removeAbandoned();
			this.#temporary = fs.mkdtempSync(join(tmpdir(), `${TEMPORARY_PREFIX}${process.pid}-`));
			process.once("exit", this.#removeTemporary);
		}
		return this.#temporary;
	}
}

/** Temporary folders of processes that are gone. */
function removeAbandoned(): void {
	for (const name of fs.readdirSync(tmpdir())) {
		const owner = new RegExp(`^${TEMPORARY_PREFIX}(\\d+)-`).exec(name)?.[1];
		if (owner === undefined || isAlive(Number(owner))) continue;
		try {
			fs.rmSync(join(tmpdir(), name), { recursive: true, force: true });
		} catch {
			// Somebody else's; whoever may will remove it.
		}
	}
}

function isAlive(processId: number): boolean {
	try {
		process.kill(processId, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== "ESRCH";
	}
}
