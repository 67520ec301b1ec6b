import { isActorError, USER_ERROR_CODE, USER_ERROR_GROUP } from "@rivetkit/protocol";
import { ActorError, recogniseByFields } from "./actor-error.ts";

export interface UserErrorOptions {
	/** For programs. Default `user_error`. */
	code?: string | undefined;
	/** Anything that can be encoded; reaches the caller. */
	metadata?: unknown;
	/** Stays on the server. */
	cause?: unknown;
}

/**
 * An error whose message, code and metadata reach the caller. Everything else that is thrown becomes a
 * masked internal error.
 *
 * @example
 * throw new UserError("Username too short", { code: "username_too_short", metadata: { minLength: 3 } });
 */
export class UserError extends ActorError {
	constructor(message: string, options: UserErrorOptions = {}) {
		super(USER_ERROR_GROUP, options.code ?? USER_ERROR_CODE, message, {
			public: true,
			metadata: options.metadata,
			...("cause" in options ? { cause: options.cause } : undefined),
		});
		this.name = "UserError";
	}

	/** The message alone. */
	override toString(): string {
		return this.message;
	}
}

recogniseByFields(
	(type) => type === UserError,
	UserError,
	(value) => isActorError(value) && value.group === USER_ERROR_GROUP,
);
