/** What is passed to `c.workflow.*`, of which types say nothing in plain JavaScript: what would be ignored is refused. */
type Check = readonly [expected: string, fits: (value: unknown) => boolean];

const TEXT: Check = ["a string", (value) => typeof value === "string"];
const FLAG: Check = ["a boolean", (value) => typeof value === "boolean"];
const IDS: Check = [
	"an array of entry ids",
	(value) => Array.isArray(value) && value.every((id) => typeof id === "string"),
];

const OPTIONS = {
	cancel: { reason: TEXT, rollback: FLAG },
	recover: { skipRollback: IDS },
	replay: { entryId: TEXT },
} as const satisfies Record<string, Record<string, Check>>;

/** Throws a `TypeError` for anything but an object with options of that method. */
export function checkControlOptions(method: keyof typeof OPTIONS, options: unknown): void {
	const checks: Readonly<Record<string, Check>> = OPTIONS[method];
	const names = Object.keys(checks).join(", ");
	if (typeof options !== "object" || options === null || Array.isArray(options)) {
		throw new TypeError(
			`c.workflow.${method}() takes an object with ${names}, not ${shown(options)}`,
		);
	}
	for (const [name, value] of Object.entries(options)) {
		if (!Object.hasOwn(checks, name)) {
			throw new TypeError(`c.workflow.${method}() has no option "${name}", only ${names}`);
		}
		const [expected, fits] = checks[name]!;
		if (value === undefined || fits(value)) continue;
		throw new TypeError(`c.workflow.${method}(): ${name} must be ${expected}, not ${shown(value)}`);
	}
}

function shown(value: unknown): string {
	if (value === null) return "null";
	return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
