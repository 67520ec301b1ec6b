import { Registry } from "rivetkit";
import { type RouteUrl, SourceWatch } from "./source-watch.ts";

const WATCH = Symbol.for("rivetkit.next-js.watch");

type WatchGlobal = typeof globalThis & { [WATCH]?: SourceWatch };

/**
 * Runs a registry on the one engine of the process, in `next dev`. Next.js evaluates the route in another
 * process as well, to see which paths it has, so an engine starts only with the first request. A route that is
 * evaluated again where the engine runs is an edit: its registry takes over at once.
 */
export class Development {
	readonly #registry: Registry;
	readonly #listens: boolean;
	#running: Promise<void> | undefined;

	/** @param listens - whether the engine has an address of its own, for WebSockets */
	constructor(registry: Registry, listens: boolean) {
		this.#registry = registry;
		this.#listens = listens;
		// What goes wrong is printed, and the next request tries again.
		if (Registry.holdStarts()) this.#run().catch(() => {});
	}

	/** Resolves when the registry runs. Rejects with why it cannot, which has been printed then. */
	async ready(route: RouteUrl): Promise<void> {
		await this.#run();
		const holder = globalThis as WatchGlobal;
		holder[WATCH] ??= new SourceWatch(process.cwd());
		holder[WATCH].route = route;
	}

	#run(): Promise<void> {
		this.#running ??= this.#start().catch((error: unknown) => {
			this.#running = undefined;
			console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
			throw error;
		});
		return this.#running;
	}

	async #start(): Promise<void> {
		await this.#registry.develop();
		if (this.#listens) await this.#registry.listen();
	}
}
