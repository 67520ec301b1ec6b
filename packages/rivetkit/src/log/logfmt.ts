const LEVEL_NAMES: Readonly<Record<number, string>> = {
	10: "TRACE",
	20: "DEBUG",
	30: "INFO",
	40: "WARN",
	50: "ERROR",
	60: "FATAL",
};

/** One record as pino makes it: a numeric level, the message, and whatever else was logged. */
export interface LogRecord {
	readonly level: number;
	readonly time?: number | undefined;
	readonly target?: unknown;
	readonly msg?: unknown;
	readonly [field: string]: unknown;
}

/**
 * One line of logfmt without its line end: optional `ts`, `level`, optional `target`, `msg`, then the
 * fields in their order (contract: api 19). An error under `err` becomes `error`, `error.stack` and so on.
 */
export function formatLogfmt(record: LogRecord, withTarget: boolean): string {
	const { level, time, target, msg, err, ...fields } = record;
	const parts: string[] = [];
	if (time !== undefined) parts.push(pair("ts", new Date(time).toISOString()));
	parts.push(pair("level", LEVEL_NAMES[level] ?? String(level)));
	if (withTarget && target !== undefined) parts.push(pair("target", target));
	if (msg !== undefined) parts.push(pair("msg", msg));
	if (err !== undefined) parts.push(...errorPairs("error", err));
	for (const [name, value] of Object.entries(fields)) {
		if (isErrorRecord(value)) parts.push(...errorPairs(name, value));
		else if (value !== undefined) parts.push(pair(name, value));
	}
	return parts.join(" ");
}

interface ErrorRecord {
	readonly type: string;
	readonly message: string;
	readonly [field: string]: unknown;
}

/** The shape pino gives errors. */
function isErrorRecord(value: unknown): value is ErrorRecord {
	if (typeof value !== "object" || value === null) return false;
	const { type, message, stack } = value as Record<string, unknown>;
	return typeof type === "string" && typeof message === "string" && typeof stack === "string";
}

function errorPairs(name: string, value: unknown): string[] {
	if (!isErrorRecord(value)) return [pair(name, value)];
	const { type, message, ...rest } = value;
	return [
		pair(name, `${type}: ${message}`),
		...Object.entries(rest)
			.filter(
				([detail, content]) => content !== undefined && !(detail === "name" && content === type),
			)
			.map(([detail, content]) => pair(`${name}.${detail}`, content)),
	];
}

function pair(name: string, value: unknown): string {
	return `${/[\s="]/.test(name) ? JSON.stringify(name) : name}=${formatValue(value)}`;
}

function formatValue(value: unknown): string {
	if (value === null) return "null";
	if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
		return String(value);
	}
	const text = typeof value === "string" ? value : JSON.stringify(value);
	// Quoted whenever a reader could take it for more than one value, or for nothing.
	return text === "" || /[\s="\\\p{Cc}]/u.test(text) ? JSON.stringify(text) : text;
}
