/** An answer of the server that says what is wrong. */
export class ApiError extends Error {
	override readonly name = "ApiError";
	readonly status: number;
	readonly group: string;
	readonly code: string;
	readonly metadata: unknown;

	constructor(
		status: number,
		group: string,
		code: string,
		message: string,
		metadata: unknown = null,
	) {
		super(message);
		this.status = status;
		this.group = group;
		this.code = code;
		this.metadata = metadata;
	}

	is(name: string): boolean {
		return `${this.group}.${this.code}` === name;
	}
}

/** Nobody answered. */
export class UnreachableError extends Error {
	override readonly name = "UnreachableError";

	constructor(endpoint: string, cause: unknown) {
		super(`${endpoint} does not answer`, { cause });
	}
}

/** Whether a token would help. */
export function needsToken(error: unknown): boolean {
	return error instanceof ApiError && (error.status === 401 || error.status === 403);
}

export function isGone(error: unknown): boolean {
	return error instanceof ApiError && error.is("actor.not_found");
}

/** Whether nothing was written, because somebody else wrote since it was read. */
export function isStateChanged(error: unknown): boolean {
	return error instanceof ApiError && error.is("inspector.state_changed");
}
