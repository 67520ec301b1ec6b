import type { Timer } from "@rivetkit/protocol";
import type { ServerlessPool } from "../pools/pool-config.ts";
import { fetchHostMetadata, type HostMetadata } from "./host-metadata.ts";
import type { HostServices } from "./pool-requests.ts";
import { RetryPause } from "./retry-pause.ts";

/** Asks one pool's host again and again what it has (contract: engine 5.4). */
export class MetadataPoll {
	readonly #services: HostServices;
	readonly #learnt: (metadata: HostMetadata) => Promise<void>;
	readonly #pause: RetryPause;
	#config: ServerlessPool;
	#timer: Timer | undefined;
	#isClosed = false;

	constructor(
		config: ServerlessPool,
		services: HostServices,
		learnt: (metadata: HostMetadata) => Promise<void>,
	) {
		this.#config = config;
		this.#services = services;
		this.#learnt = learnt;
		const { clock, random, limits } = services;
		this.#pause = new RetryPause(clock, random, limits, () => this.#intervalMs);
	}

	/** Asks now, and later again. Never rejects. */
	async ask(config: ServerlessPool = this.#config): Promise<void> {
		const { clock, logger } = this.#services;
		this.#config = config;
		this.#timer?.stop();
		const beganTs = clock.now();
		const answer = await fetchHostMetadata(config.url, config.headers);
		if (this.#isClosed || config !== this.#config) return;
		let delayMs = this.#intervalMs;
		if ("success" in answer) {
			await this.#learnt(answer.success).catch((error: unknown) =>
				logger.warn({ err: error, url: config.url }, "what a host has could not be stored"),
			);
		} else {
			const { message, metadata } = answer.failure;
			logger.warn({ url: config.url, kind: metadata.kind, message }, "a host has no metadata");
			this.#pause.failed(beganTs);
			delayMs = this.#pause.retryTs - clock.now();
		}
		if (this.#isClosed) return;
		this.#timer?.stop();
		this.#timer = clock.after(delayMs, () => void this.ask());
	}

	close(): void {
		this.#isClosed = true;
		this.#timer?.stop();
	}

	get #intervalMs(): number {
		const { metadataPollMs, metadataPollMinMs } = this.#services.limits;
		return Math.max(this.#config.metadataPollMs ?? metadataPollMs, metadataPollMinMs);
	}
}
