import { type FSWatcher, readdirSync, watch } from "node:fs";
import { join } from "node:path";

/** Where the route is reached: an address without the part that `[...all]` stands for. */
export type RouteUrl = string;

/** Folders below a project that are watched at most. */
const FOLDERS_MAX = 2_000;
/** Editors save in several steps, and formatters after them. */
const SETTLE_MS = 50;

/**
 * Next.js evaluates an edited route with the next request to it. Clients whose WebSocket is open make none, so
 * when a source of the project changes, this does.
 */
export class SourceWatch {
	/** What is requested; nothing while it is undefined. */
	route: RouteUrl | undefined;
	readonly #folders = new Map<string, FSWatcher>();
	#timer: ReturnType<typeof setTimeout> | undefined;
	#isRefused = false;

	/** @param root - of the project; `node_modules` and what begins with a dot is left out */
	constructor(root: string) {
		this.#watch(root);
	}

	close(): void {
		clearTimeout(this.#timer);
		for (const watcher of this.#folders.values()) watcher.close();
		this.#folders.clear();
	}

	#watch(folder: string): void {
		if (this.#folders.has(folder)) return;
		if (this.#folders.size === FOLDERS_MAX) {
			console.warn(
				`@rivetkit/next-js watches ${FOLDERS_MAX} folders of the project; edits in others reach the actors with the next request to their route`,
			);
		}
		if (this.#folders.size >= FOLDERS_MAX) return;
		let watcher: FSWatcher;
		try {
			watcher = watch(folder, { persistent: false }, (event, name) => {
				if (name === null || isSource(name)) this.#changed();
				else if (event === "rename" && !isLeftOut(name)) this.#look(join(folder, name));
			});
		} catch (error) {
			this.#cannotWatch(folder, error as NodeJS.ErrnoException);
			return;
		}
		// The folder is gone.
		watcher.on("error", () => this.#forget(folder));
		this.#folders.set(folder, watcher);
		this.#look(folder);
	}

	/** Some systems let a user watch few folders. The actors run all the same. */
	#cannotWatch(folder: string, { code, message }: NodeJS.ErrnoException): void {
		const isGone = code === "ENOENT" || code === "ENOTDIR";
		if (isGone || this.#isRefused) return;
		this.#isRefused = true;
		console.warn(
			`@rivetkit/next-js cannot watch ${folder}, and perhaps others (${message}); edits there reach the actors with the next request to their route`,
		);
	}

	/** Watches a folder's folders, and the folder itself when it is new. */
	#look(folder: string): void {
		let entries: ReturnType<typeof foldersIn>;
		try {
			entries = foldersIn(folder);
		} catch {
			// Not a folder, or not there any more.
			this.#forget(folder);
			return;
		}
		this.#watch(folder);
		for (const name of entries) this.#watch(join(folder, name));
	}

	#forget(folder: string): void {
		this.#folders.get(folder)?.close();
		this.#folders.delete(folder);
	}

	#changed(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#ask(), SETTLE_MS);
		this.#timer.unref();
	}

	#ask(): void {
		if (this.route === undefined) return;
		fetch(`${this.route}/health`).then(
			// Code that does not compile is an answer, too: Next.js has printed why.
			(answer) => answer.body?.cancel(),
			(error: unknown) => {
				console.warn(
					`@rivetkit/next-js could not ask ${this.route} for the new code; the next request to it will: ${error}`,
				);
			},
		);
	}
}

function foldersIn(folder: string): string[] {
	return readdirSync(folder, { withFileTypes: true })
		.filter((entry) => entry.isDirectory() && !isLeftOut(entry.name))
		.map(({ name }) => name);
}

function isLeftOut(name: string): boolean {
	return name.startsWith(".") || name === "node_modules";
}

function isSource(name: string): boolean {
	return /\.(?:[cm]?[jt]sx?|json)$/.test(name) && name !== "next-env.d.ts";
}
