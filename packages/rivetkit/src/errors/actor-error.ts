import {
	type CatalogueCode,
	type CatalogueDetails,
	catalogueError,
	isActorError,
	RivetError,
	type RivetErrorOptions,
} from "@rivetkit/protocol";

export interface ActorErrorOptions {
	/** Whether callers see the error as it is. Default false: they see a masked internal error. */
	readonly public?: boolean;
	/** Anything that can be encoded. */
	readonly metadata?: unknown;
	readonly cause?: unknown;
}

/**
 * Base of all errors with a group and a code (api 13.2). Status 400 when public, else 500.
 *
 * `instanceof` looks at the fields instead of the class, so that it also holds for errors that the
 * system raised, that came over the wire, or that another copy of the package made.
 */
export class ActorError extends RivetError {
	constructor(group: string, code: string, message: string, options: ActorErrorOptions = {}) {
		super(group, code, message, options);
		this.name = new.target.name;
	}
}

recogniseByFields((type) => type === ActorError, ActorError, isActorError);

/**
 * Makes `instanceof` of the classes that `ours` accepts look at the fields of the value. Classes that
 * users derive from them keep the ordinary meaning.
 */
export function recogniseByFields(
	ours: (type: unknown) => boolean,
	base: object,
	matches: (value: unknown) => boolean,
): void {
	Object.defineProperty(base, Symbol.hasInstance, {
		value(this: unknown, value: unknown): boolean {
			if (ours(this)) return matches(value);
			return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
		},
	});
}

/** What the error of one row is made of: its details, if it has any, and the cause. */
export type CataloguedArguments<C extends CatalogueCode> = [
	...(Record<never, never> extends CatalogueDetails<C>
		? [details?: CatalogueDetails<C>]
		: [details: CatalogueDetails<C>]),
	options?: { readonly cause: unknown },
];

/** The class of one row of the catalogue. */
export interface CataloguedClass<C extends CatalogueCode> {
	new (...args: CataloguedArguments<C>): ActorError;
	/** `group.code`. */
	readonly row: C;
}

/** A base class that takes text, status and metadata from a row of the catalogue. */
export function catalogued<C extends CatalogueCode>(row: C): CataloguedClass<C> {
	const [group, code] = row.split(".");
	const base = class extends RivetError {
		static readonly row: C = row;

		constructor(...args: CataloguedArguments<C>) {
			// Cast: the compiler cannot match a spread against the conditional tuple of the same C.
			const made = (catalogueError as (row: C, ...args: unknown[]) => RivetError)(row, ...args);
			super(made.group, made.code, made.message, optionsOf(made));
			this.name = new.target.name;
		}
	};
	recogniseByFields(
		(type) => Object.getPrototypeOf(type) === base,
		base,
		(value) => isActorError(value) && value.group === group && value.code === code,
	);
	return base;
}

function optionsOf(error: RivetError): RivetErrorOptions {
	const { public: isPublic, statusCode, metadata } = error;
	return {
		public: isPublic,
		statusCode,
		metadata,
		...("cause" in error ? { cause: error.cause } : undefined),
	};
}
