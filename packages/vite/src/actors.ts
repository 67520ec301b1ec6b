import type { Registry } from "rivetkit";

/**
 * Between a change and the load (ms). Many editors empty a file and then write it, and file watchers say nothing of
 * what follows a change within 5 ms: a load at once may see an empty file, and would never hear of the rest.
 */
export const SETTLE_MS = 25;

export interface ActorsOptions {
	/** Evaluates the users' modules anew and returns the registry that they make. */
	readonly load: () => Promise<Registry>;
	/** The new code runs. */
	readonly onLoaded: (registry: Registry, isFirst: boolean) => void;
	/** What ran before goes on, if anything did. */
	readonly onFailed: (error: unknown, isFirst: boolean) => void;
}

/** The actors of a dev server: which registry runs, and that it is the newest one that could be loaded. */
export class Actors {
	readonly #options: ActorsOptions;
	#registry: Registry | undefined;
	#loading: Promise<void> | undefined;
	/** Something has changed since the load that runs began. */
	#isStale = false;
	#hasFailed = false;

	constructor(options: ActorsOptions) {
		this.#options = options;
	}

	/** Whether what runs is not what the files say. */
	get hasFailed(): boolean {
		return this.#hasFailed;
	}

	/** The registry that runs, when no load is under way; undefined when none could be loaded yet. */
	async current(): Promise<Registry | undefined> {
		await this.#loading;
		return this.#registry;
	}

	/** Loads what the files say now. Resolves when it runs, or could not be loaded. Never rejects. */
	reload(): Promise<void> {
		this.#isStale = true;
		this.#loading ??= this.#loadUntilFresh().finally(() => {
			this.#loading = undefined;
		});
		return this.#loading;
	}

	/** Lets the actors sleep and closes the engine. */
	async close(): Promise<void> {
		const registry = await this.current();
		await registry?.shutdown();
	}

	async #loadUntilFresh(): Promise<void> {
		while (this.#isStale) {
			const isFirst = this.#registry === undefined;
			if (!isFirst || this.#hasFailed) await settled();
			this.#isStale = false;
			try {
				const registry = await this.#options.load();
				await registry.develop();
				this.#registry = registry;
				this.#hasFailed = false;
			} catch (error) {
				this.#hasFailed = true;
				this.#options.onFailed(error, isFirst);
				continue;
			}
			this.#options.onLoaded(this.#registry, isFirst);
		}
	}
}

function settled(): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
