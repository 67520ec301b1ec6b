export {
	INTERNAL_ERROR_CODE,
	INTERNAL_ERROR_DESCRIPTION,
	USER_ERROR_CODE,
} from "@rivetkit/protocol";
export { isRivetErrorCode } from "../client/errors.ts";
export { ActorError, type ActorErrorOptions } from "./actor-error.ts";
export * from "./classes.ts";
export { UserError, type UserErrorOptions } from "./user-error.ts";

/** Metadata of a masked error: none. */
export type InternalErrorMetadata = Record<never, never>;

/** What `InvalidStateType` is made of. */
export interface InvalidStateTypeOptions {
	/** Where in the state, such as `state.items[2]`. */
	path?: string;
	/** What is wrong with the value. */
	reason?: string;
}
