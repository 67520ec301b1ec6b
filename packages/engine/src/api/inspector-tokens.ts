import { INSPECTOR_TOKEN_KEY, newInspectorToken, type Random } from "@rivetkit/protocol";
import { StaleGenerationError, type Store } from "../store/store.ts";

/** Incarnations that may begin between reading an actor's generation and writing its token. */
const ATTEMPTS_MAX = 5;

/**
 * The tokens that actors' inspector sockets ask for (protocol 7.1). One is made when somebody first reads
 * it, so that actors nobody looks at have none.
 */
export class InspectorTokens {
	readonly #store: Store;
	readonly #random: Random;
	readonly #making = new Map<string, Promise<Uint8Array | null>>();

	constructor(store: Store, random: Random) {
		this.#store = store;
		this.#random = random;
	}

	/** Null for an actor that was never initialised, or is gone meanwhile. */
	async read(actorId: string): Promise<Uint8Array | null> {
		const [stored] = await this.#store.get(actorId, [INSPECTOR_TOKEN_KEY]);
		if (stored) {
			return stored;
		}
		let making = this.#making.get(actorId);
		if (making === undefined) {
			making = this.#make(actorId).finally(() => this.#making.delete(actorId));
			this.#making.set(actorId, making);
		}
		return making;
	}

	async #make(actorId: string): Promise<Uint8Array | null> {
		const value = newInspectorToken(this.#random);
		for (let attempt = 1; ; attempt++) {
			const actor = await this.#store.actorById(actorId);
			if (actor === undefined || actor.destroyTs !== null || !actor.initialised) {
				return null;
			}
			const { generation } = actor;
			try {
				// Beside the commits of the incarnation that has this generation.
				await this.#store.commit({
					actorId,
					generation,
					ops: [{ op: "put", key: INSPECTOR_TOKEN_KEY, value }],
				});
				return value;
			} catch (error) {
				if (!(error instanceof StaleGenerationError) || attempt === ATTEMPTS_MAX) {
					throw error;
				}
			}
		}
	}
}
