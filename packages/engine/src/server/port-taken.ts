import type { ServerInstance } from "./instance-id.ts";

const PROBE_TIMEOUT_MS = 1_000;

/** Who listens on a port that was wanted. */
export type Occupant =
	/** This project's own server, with the same data. */
	| { readonly kind: "same-data"; readonly pid: number }
	/** A RivetKit server with other data. */
	| { readonly kind: "rivetkit"; readonly pid: number | undefined }
	| { readonly kind: "other" };

export interface WantedAddress {
	readonly host: string;
	readonly port: number;
	readonly basePath: string;
	/** How the user sets the port, for the message. */
	readonly portSetting: string;
	/** How the user sets the host, for the message. */
	readonly hostSetting: string;
}

/** The wanted address cannot be listened on. The message says why and what to do. */
export class ListenError extends Error {
	override readonly name: string = "ListenError";
	/** The system's code, such as `EADDRNOTAVAIL`. */
	readonly code: string;
	readonly host: string;
	readonly port: number;
	constructor(wanted: WantedAddress, code: string, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
		this.host = wanted.host;
		this.port = wanted.port;
	}
}

/** The wanted port is in use. The message says by whom and what to do. */
export class PortTakenError extends ListenError {
	override readonly name = "PortTakenError";
	readonly occupant: Occupant;
	constructor(wanted: WantedAddress, occupant: Occupant, options?: ErrorOptions) {
		super(wanted, "EADDRINUSE", describe(wanted, occupant), options);
		this.occupant = occupant;
	}
}

/** What the system said when the address could not be bound, with what to do about it. */
export function listenError(wanted: WantedAddress, cause: NodeJS.ErrnoException): ListenError {
	const { host, port, hostSetting, portSetting } = wanted;
	const advice =
		cause.code === "EACCES" || cause.code === "EPERM"
			? `This user may not use that port: choose one above 1023 (${portSetting}).`
			: `Choose an address of this machine (${hostSetting}), such as 127.0.0.1, or 0.0.0.0 for all of them.`;
	return new ListenError(
		wanted,
		cause.code ?? "",
		`Cannot listen on ${host}, port ${port}: ${cause.message}. ${advice}`,
		{ cause },
	);
}

/** Asks whoever listens there what it is. */
export async function identifyOccupant(
	wanted: WantedAddress,
	own: Partial<ServerInstance>,
): Promise<Occupant> {
	for (const basePath of new Set([wanted.basePath, ""])) {
		const metadata = await fetchMetadata(`${originOf(wanted)}${basePath}/metadata`);
		if (metadata?.runtime !== "rivetkit") {
			continue;
		}
		const instance = metadata.instance as Partial<ServerInstance> | undefined;
		const pid = typeof instance?.pid === "number" ? instance.pid : undefined;
		const isSame = own.data !== undefined && instance?.data === own.data && pid !== undefined;
		return isSame ? { kind: "same-data", pid } : { kind: "rivetkit", pid };
	}
	return { kind: "other" };
}

/** `http://host:port` as a client on this machine reaches it. */
export function originOf({ host, port }: { readonly host: string; readonly port: number }): string {
	const reachable =
		host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "[::1]" : host;
	const bracketed =
		reachable.includes(":") && !reachable.startsWith("[") ? `[${reachable}]` : reachable;
	return `http://${bracketed}:${port}`;
}

async function fetchMetadata(url: string): Promise<Record<string, unknown> | undefined> {
	try {
		const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
		const body: unknown = await response.json();
		return typeof body === "object" && body !== null
			? (body as Record<string, unknown>)
			: undefined;
	} catch {
		// Whatever listens there does not speak our language: that is the answer.
		return undefined;
	}
}

function describe(wanted: WantedAddress, occupant: Occupant): string {
	const { host, port, portSetting } = wanted;
	const where = `Port ${port} on ${host}`;
	const choose = `choose another port (${portSetting})`;
	switch (occupant.kind) {
		case "same-data":
			return `${where} is taken by a RivetKit server that already serves this data directory (process ${occupant.pid}). Use that one at ${originOf(wanted)}${wanted.basePath}, or stop it first: kill ${occupant.pid}`;
		case "rivetkit": {
			const process = occupant.pid === undefined ? "" : ` (process ${occupant.pid})`;
			return `${where} is taken by another RivetKit server${process} with other data. Either stop it, or ${choose}.`;
		}
		case "other":
			return `${where} is taken by another program. Either stop it, or ${choose}.`;
	}
}
