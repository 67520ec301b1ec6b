import {
	catalogueError,
	foreignName,
	HEADER_TOKEN,
	type HeadersView,
	isLoopbackAddress,
} from "@rivetkit/protocol";
import { isSameSecret } from "../common/tokens.ts";
import type { InboundRequest } from "../gateway/inbound.ts";

/** Who may read actors' stores and metrics and destroy actors over HTTP (protocol 4.6). */
export class KvAccess {
	readonly #token: string | undefined;
	readonly #development: () => boolean;

	constructor(token: string | undefined, development: () => boolean) {
		this.#token = token;
		this.#development = development;
	}

	/** In development open to all. Throws `feature.restricted` without a configured token, else `auth.forbidden`. */
	checkRead(headers: HeadersView): void {
		if (this.#development()) {
			return;
		}
		if (this.#token === undefined) {
			throw catalogueError("feature.restricted", { feature: "KV store access" });
		}
		this.#checkToken(headers);
	}

	/** Open unless a token is configured. Throws `auth.forbidden`. */
	checkChange(headers: HeadersView): void {
		if (this.#token !== undefined) {
			this.#checkToken(headers);
		}
	}

	/**
	 * As for changes; without a configured token only for programs on this machine, not for pages of other
	 * origins, and for all in development (engine Q21). Throws `auth.forbidden`.
	 */
	checkMetrics({ headers, peerAddress }: InboundRequest): void {
		if (this.#token !== undefined) {
			this.#checkToken(headers);
		} else if (!this.#development()) {
			const isNear = isLoopbackAddress(peerAddress) && foreignName(headers) === null;
			if (!isNear) throw catalogueError("auth.forbidden");
		}
	}

	/** Of an engine apart from any application: as for changes, with its own code. Throws `api.forbidden`. */
	checkEngine(headers: HeadersView): void {
		if (this.#token !== undefined && !this.#hasToken(headers)) {
			throw catalogueError("api.forbidden");
		}
	}

	#checkToken(headers: HeadersView): void {
		if (!this.#hasToken(headers)) {
			throw catalogueError("auth.forbidden");
		}
	}

	#hasToken(headers: HeadersView): boolean {
		const bearer = /^bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
		const given = headers.get(HEADER_TOKEN) ?? bearer;
		return given !== undefined && isSameSecret(given, this.#token!);
	}
}
