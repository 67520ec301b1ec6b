import { StoreError } from "../store.ts";

/** The writer's turn was refused: another connection has taken its place. */
export const SUPERSEDED = "RVK01";

/** What is to be done about an error of the database. */
export type FailureKind =
	/** The connection or the server is gone: whether a transaction was committed is not known. */
	| "connection"
	/** The transaction was rolled back for reasons that may be over already. */
	| "transient"
	/** Rolled back, and one statement or value of it is to blame. */
	| "statement";

export function failureKind(error: unknown): FailureKind {
	const code = codeOf(error);
	if (code === undefined || (error as { severity?: unknown }).severity === undefined) {
		// Not from the server: the socket (EPIPE looks like a code of the server's), or the driver that lost it.
		return "connection";
	}
	if (/^(?:08|57P0)/.test(code) || code === SUPERSEDED || code === "25006" || code === "25P03") {
		// 25006: what was the primary is read-only now; 25P03: it was idle for too long.
		return "connection";
	}
	if (code === "40001" || code === "40P01" || code === "55P03" || code.startsWith("53")) {
		return "transient";
	}
	return "statement";
}

export function codeOf(error: unknown): string | undefined {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === "string" ? code : undefined;
}

export function toStoreError(error: unknown, address: string, what: string): StoreError {
	if (error instanceof StoreError) {
		return error;
	}
	const reason = error instanceof Error ? error.message : String(error);
	const options = { cause: error };
	const code = codeOf(error);
	if (code === "53100" || code === "53200") {
		return new StoreError(
			"full",
			address,
			`${what}: ${address} has no room left (${reason})`,
			options,
		);
	}
	if (failureKind(error) === "connection") {
		return new StoreError(
			"unavailable",
			address,
			`${what}: ${address} cannot be reached (${reason || code}). Is the server up, and are the address and ` +
				"the password right?",
			options,
		);
	}
	return new StoreError("failed", address, `${what}: ${address} answered: ${reason}`, options);
}
