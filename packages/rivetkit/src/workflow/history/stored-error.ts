import {
	CriticalError,
	JoinError,
	QueueTimeoutError,
	RaceError,
	RollbackError,
	StepExhaustedError,
	StepSerializationError,
	StepTimeoutError,
} from "../errors.ts";
import type { WorkflowError } from "../options.types.ts";

/** An error as history keeps it: enough to make the same one again (workflows 7.1, 9). */
export interface StoredError {
	readonly name: string;
	readonly message: string;
	readonly stack?: string;
	/** Own properties that are text, numbers, flags or null. */
	readonly metadata?: Readonly<Record<string, string | number | boolean | null>>;
	/** Of a step that used up its tries: the last failure, which is its cause. */
	readonly last?: StoredError;
	/** What caused it, of others. */
	readonly cause?: StoredError;
	/** Of a join: by branch. */
	readonly branches?: Readonly<Record<string, StoredError>>;
	/** Of a race: by branch. */
	readonly racers?: readonly { readonly name: string; readonly error: string }[];
}

/** Longest message, and property, that is kept (characters). */
const MESSAGE_MAX = 65_536;
/** Longest stack that is kept (characters). */
const STACK_MAX = 8_192;
/** Causes inside of causes that are kept. */
const NESTED_MAX = 8;

export function storeError(thrown: unknown, depth = 0): StoredError {
	if (typeof thrown !== "object" || thrown === null) {
		return { name: "Error", message: String(thrown) };
	}
	const error = thrown as Partial<Error> & Record<string, unknown>;
	const name = typeof error.name === "string" ? error.name : "Error";
	const said = typeof error.message === "string" ? error.message : String(thrown);
	const message = said.length > MESSAGE_MAX ? `${said.slice(0, MESSAGE_MAX)}…` : said;
	const metadata = new Map<string, string | number | boolean | null>();
	for (const key of Object.keys(error)) {
		const value = Reflect.get(error, key);
		const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
		const isShort = typeof value !== "string" || value.length <= MESSAGE_MAX;
		if (isPlain && isShort && !["name", "message", "stack"].includes(key)) {
			metadata.set(key, value as string | number | boolean | null);
		}
	}
	return {
		name,
		message,
		...(typeof error.stack === "string" ? { stack: error.stack.slice(0, STACK_MAX) } : undefined),
		...(metadata.size > 0 ? { metadata: Object.fromEntries(metadata) } : undefined),
		...(depth < NESTED_MAX ? nested(thrown, depth) : undefined),
	};
}

function nested(thrown: object, depth: number): Partial<StoredError> {
	const isExhausted = thrown instanceof StepExhaustedError;
	const { cause } = thrown as { cause?: unknown };
	return {
		...contents(thrown, depth),
		...(cause === undefined || isExhausted ? undefined : { cause: storeError(cause, depth + 1) }),
	};
}

function contents(thrown: object, depth: number): Partial<StoredError> {
	if (thrown instanceof StepExhaustedError && thrown.lastError !== undefined) {
		return { last: storeError(thrown.lastError, depth + 1) };
	}
	if (thrown instanceof JoinError) {
		const branches = Object.entries(thrown.errors).map(
			([name, error]) => [name, storeError(error, depth + 1)] as const,
		);
		return { branches: Object.fromEntries(branches) };
	}
	if (thrown instanceof RaceError) return { racers: thrown.errors };
	return {};
}

/** The error that was stored, as it is thrown the first time and on every replay. */
export function reviveError(stored: StoredError): Error {
	const error = create(stored);
	error.message = stored.message;
	if (error.name !== stored.name) {
		Object.defineProperty(error, "name", {
			value: stored.name,
			configurable: true,
			writable: true,
		});
	}
	if (stored.stack !== undefined) error.stack = stored.stack;
	if (stored.cause !== undefined) {
		Object.defineProperty(error, "cause", {
			value: reviveError(stored.cause),
			configurable: true,
			writable: true,
		});
	}
	for (const [key, value] of Object.entries(stored.metadata ?? {})) {
		if (!Object.hasOwn(error, key)) {
			Object.defineProperty(error, key, {
				value,
				configurable: true,
				enumerable: true,
				writable: true,
			});
		}
	}
	return error;
}

function create(stored: StoredError): Error {
	const { metadata = {} } = stored;
	switch (stored.name) {
		case "CriticalError":
			return new CriticalError(stored.message);
		case "RollbackError":
			return new RollbackError(stored.message);
		case "StepExhaustedError":
			return new StepExhaustedError(
				String(metadata.stepName),
				stored.last && reviveError(stored.last),
			);
		case "StepSerializationError":
			return new StepSerializationError(String(metadata.stepName), String(metadata.path), "");
		case "StepTimeoutError":
			return new StepTimeoutError(String(metadata.stepName), Number(metadata.timeoutMs));
		case "QueueTimeoutError":
			return new QueueTimeoutError(String(metadata.entryName));
		case "JoinError":
			return new JoinError(
				Object.fromEntries(
					Object.entries(stored.branches ?? {}).map(([name, error]) => [name, reviveError(error)]),
				),
			);
		case "RaceError":
			return new RaceError(stored.racers ?? []);
		default:
			return new Error(stored.message);
	}
}

/** As users see it in results of `try`, `onError` and the history. */
export function publicError({ name, message, stack, metadata }: StoredError): WorkflowError {
	return {
		name,
		message,
		...(stack === undefined ? undefined : { stack }),
		...(metadata === undefined ? undefined : { metadata }),
	};
}
