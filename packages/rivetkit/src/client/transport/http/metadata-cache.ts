import { type LookupOptions, MetadataLookup } from "./metadata-lookup.ts";

/** One look-up per endpoint, however many clients ask (contract: protocol 5.2). */
export class MetadataCache {
	readonly #lookups = new Map<string, MetadataLookup>();

	/** The look-up of this endpoint; `options` count only when it is the first time. */
	lookup(endpoint: string, options: () => LookupOptions): MetadataLookup {
		let lookup = this.#lookups.get(endpoint);
		if (!lookup) {
			lookup = new MetadataLookup(options());
			this.#lookups.set(endpoint, lookup);
		}
		return lookup;
	}
}
