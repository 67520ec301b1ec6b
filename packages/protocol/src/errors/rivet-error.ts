/** Group and code of a masked error are `rivetkit` and this (contract 6.1). */
export const INTERNAL_ERROR_CODE = "internal_error";
/** Group of a masked error. */
export const INTERNAL_ERROR_GROUP = "rivetkit";
/** Message of a masked error. */
export const INTERNAL_ERROR_DESCRIPTION = "Internal error. Read the server logs for more details.";
/** Group of errors thrown by actor authors. */
export const USER_ERROR_GROUP = "user";
/** Code of a user error that names none. */
export const USER_ERROR_CODE = "user_error";

export interface RivetErrorOptions {
	/** Whether callers see the error as it is. Default false: they see a masked internal error. */
	readonly public?: boolean;
	/** HTTP status. Default 400 for public errors, else 500. */
	readonly statusCode?: number;
	/** Anything CBOR can carry. */
	readonly metadata?: unknown;
	readonly cause?: unknown;
}

/**
 * An error with an address: group and code are the interface, the message is for people. It is
 * recognised by its fields (`__type`, `public`), not by its class, so copies of the package mix.
 */
export class RivetError extends Error {
	readonly __type = "ActorError";
	readonly group: string;
	readonly code: string;
	readonly public: boolean;
	readonly statusCode: number;
	readonly metadata: unknown;

	constructor(group: string, code: string, message: string, options: RivetErrorOptions = {}) {
		super(message, options);
		this.name = "RivetError";
		this.group = group;
		this.code = code;
		this.public = options.public ?? false;
		this.statusCode = options.statusCode ?? (this.public ? 400 : 500);
		this.metadata = options.metadata;
	}
}

/** What of a foreign error is looked at. Everything may be absent or of another type. */
export interface ActorErrorLike {
	readonly __type: "ActorError";
	readonly group: string;
	readonly code: string;
	readonly message: string;
	readonly public?: unknown;
	readonly statusCode?: unknown;
	readonly metadata?: unknown;
}

/** Whether a thrown value is one of our errors, from this copy of the package or another. */
export function isActorError(value: unknown): value is ActorErrorLike {
	if (typeof value !== "object" || value === null) return false;
	const error = value as Partial<Record<keyof ActorErrorLike, unknown>>;
	return (
		error.__type === "ActorError" &&
		typeof error.group === "string" &&
		typeof error.code === "string" &&
		typeof error.message === "string"
	);
}
