import {
	catalogueError,
	foreignName,
	type HeadersView,
	isLoopbackAddress,
	type RivetError,
} from "@rivetkit/protocol";
import type { Logger } from "../../log/logger.ts";
import type { InspectionConfig } from "./inspection-config.ts";
import { isSameSecret } from "./same-secret.ts";

/** Who asks. */
export interface Caller {
	readonly headers: HeadersView;
	readonly peerAddress?: string | undefined;
}

/** Reads the token of the one actor that is asked about; null when it has none. */
export type ReadActorToken = () => Promise<string | null>;

/**
 * Who may inspect (contract: protocol 7.1). A token opens: the configured one for all actors, or the
 * actor's own. While none is configured, a development server on loopback needs none over HTTP (ruling 13);
 * not from web pages of other origins, whose scripts run on this machine, too.
 */
export class InspectorAccess {
	readonly #config: InspectionConfig;
	readonly #log: Logger;
	#openWarned = false;
	#foreignWarned = false;

	constructor(config: InspectionConfig, log: Logger) {
		this.#config = config;
		this.#log = log;
	}

	/** Throws `inspector.unauthorized`. */
	async checkRequest(caller: Caller, readActorToken: ReadActorToken): Promise<void> {
		const given = bearer(caller.headers.get("authorization"));
		if (given !== null && (await this.#opens(given, readActorToken))) return;
		if (!this.#isOpenFor(caller)) throw this.#refusal(given);
	}

	/** The same for a WebSocket: a token is needed always (protocol 7.1). */
	async checkSocket(token: string | null, readActorToken: ReadActorToken): Promise<void> {
		if (token !== null && (await this.#opens(token, readActorToken))) return;
		throw this.#refusal(token);
	}

	#refusal(given: string | null): RivetError {
		const isSet = this.#config.token() !== "";
		const token = !isSet ? "unset" : given === null ? "missing" : "wrong";
		return catalogueError("inspector.unauthorized", { token });
	}

	/** Whether it is the configured token, or the actor's own. */
	async #opens(given: string, readActorToken: ReadActorToken): Promise<boolean> {
		const configured = this.#config.token();
		if (configured !== "" && isSameSecret(given, configured)) return true;
		const own = await readActorToken();
		return own !== null && isSameSecret(given, own);
	}

	#isOpenFor({ headers, peerAddress }: Caller): boolean {
		if (this.#config.token() !== "" || !this.#config.isOpen()) return false;
		if (!isLoopbackAddress(peerAddress)) return false;
		const strange = foreignName(headers);
		if (strange !== null) {
			if (!this.#foreignWarned) {
				this.#foreignWarned = true;
				this.#log.warn(
					{ from: strange },
					"a request to the inspector that came through another host or page is refused; set RIVET_INSPECTOR_TOKEN to let it in with a token",
				);
			}
			return false;
		}
		if (!this.#openWarned) {
			this.#openWarned = true;
			this.#log.warn(
				"the inspector is open to every program on this machine, because no token is set (RIVET_INSPECTOR_TOKEN)",
			);
		}
		return true;
	}
}

/** The scheme is optional and in any case (protocol 7.1, 8.7). */
function bearer(authorization: string | null): string | null {
	if (authorization === null) return null;
	const token = authorization.replace(/^bearer(?: +|$)/i, "").trim();
	return token === "" ? null : token;
}
