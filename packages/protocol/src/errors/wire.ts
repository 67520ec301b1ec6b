import {
	type ActorErrorLike,
	INTERNAL_ERROR_CODE,
	INTERNAL_ERROR_DESCRIPTION,
	INTERNAL_ERROR_GROUP,
	isActorError,
} from "./rivet-error.ts";

/** What a caller sees of an error. `metadata` is `undefined` when there is none. */
export interface WireError {
	readonly group: string;
	readonly code: string;
	readonly message: string;
	readonly metadata: unknown;
	/** HTTP status of the response. */
	readonly statusCode: number;
}

/**
 * What callers see of a thrown value (contract 6.1, ruling 15). Never throws, whatever was thrown.
 *
 * - A public error goes out as it is. So does an error that was itself received from another actor
 *   (it says nothing about being public), unless it was already masked there.
 * - A private framework error goes out as it is, with status 500, when `expose` is set.
 * - Anything else shows at most its message, under `rivetkit.internal_error`.
 * - Without `expose` the last two are masked.
 */
export function toWireError(thrown: unknown, options: { expose: boolean }): WireError {
	try {
		if (isActorError(thrown)) {
			if (isPublic(thrown)) return asItIs(thrown, statusOf(thrown));
			return options.expose ? asItIs(thrown, 500) : masked();
		}
		return options.expose ? internal(textOf(thrown), undefined) : masked();
	} catch {
		// A getter or a conversion of the thrown value threw in turn.
		return masked();
	}
}

function isPublic(error: ActorErrorLike): boolean {
	if (error.public === true) return true;
	const wasMasked = error.group === INTERNAL_ERROR_GROUP && error.code === INTERNAL_ERROR_CODE;
	return error.public === undefined && !wasMasked;
}

function statusOf(error: ActorErrorLike): number {
	const status = error.statusCode;
	return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599
		? Number(status)
		: 400;
}

function asItIs(error: ActorErrorLike, statusCode: number): WireError {
	const { group, code, message, metadata } = error;
	return { group, code, message, metadata, statusCode };
}

function masked(): WireError {
	return internal(INTERNAL_ERROR_DESCRIPTION, {});
}

function internal(message: string, metadata: unknown): WireError {
	const [group, code] = [INTERNAL_ERROR_GROUP, INTERNAL_ERROR_CODE];
	return { group, code, message, metadata, statusCode: 500 };
}

function textOf(thrown: unknown): string {
	if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
		return String(thrown.message);
	}
	return String(thrown);
}
