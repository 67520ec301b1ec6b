import type { ErrorPayload, Rollup, ViteDevServer } from "vite";

/** Tells the terminal and the open pages how the last load of the actors went. */
export class Reports {
	readonly #server: ViteDevServer;
	readonly #entry: string;
	/** An overlay on the pages says what is wrong. */
	#isOnPages = false;

	/** @param entry - how the actors' module is named in messages */
	constructor(server: ViteDevServer, entry: string) {
		this.#server = server;
		this.#entry = entry;
	}

	loaded(isFirst: boolean): void {
		const { logger } = this.#server.config;
		if (!isFirst) logger.info("rivetkit: the actors run the new code", { timestamp: true });
		this.#clearPages();
	}

	failed(error: unknown, isFirst: boolean): void {
		const going = isFirst ? "none run until it is mended" : "those that were loaded last go on";
		const problem = error instanceof Error ? error : new Error(String(error));
		this.#server.config.logger.error(
			`rivetkit: the actors of ${this.#entry} could not be loaded; ${going}\n${problem.stack ?? problem.message}`,
			{ timestamp: true, error: problem as Rollup.RollupError },
		);
		this.#showOnPages(problem, going);
	}

	/** The page's clients do not need that address, so the server goes on. */
	notListening(error: unknown): void {
		const { logger } = this.#server.config;
		const message = error instanceof Error ? error.message : String(error);
		logger.error(
			`rivetkit: ${message}\nThe page reaches the actors all the same; other programs do not.`,
			{ timestamp: true },
		);
	}

	#showOnPages(problem: Error, going: string): void {
		const { id, frame, loc } = problem as Partial<Rollup.RollupError>;
		const err: ErrorPayload["err"] = {
			message: `The actors of ${this.#entry} could not be loaded; ${going}: ${problem.message}`,
			stack: problem.stack ?? "",
			plugin: "rivetkit",
			...(id === undefined ? undefined : { id }),
			...(frame === undefined ? undefined : { frame }),
			...(loc === undefined ? undefined : { loc }),
		};
		this.#isOnPages = true;
		this.#server.environments.client.hot.send({ type: "error", err });
	}

	#clearPages(): void {
		if (!this.#isOnPages) return;
		this.#isOnPages = false;
		// Vite's own page script takes the overlay away with the next update, whatever is in it.
		this.#server.environments.client.hot.send({ type: "update", updates: [] });
	}
}
