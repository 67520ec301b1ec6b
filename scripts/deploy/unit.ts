/** Sections of a systemd unit, each key with all its values in order. */
export type Unit = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** Throws at a line that is neither a section, an assignment nor a comment. */
export function readUnit(text: string): Unit {
	const unit: Record<string, Record<string, string[]>> = {};
	let section: Record<string, string[]> | undefined;
	for (const line of text.split("\n")) {
		if (line === "" || line.startsWith("#")) continue;
		const name = /^\[(\w+)\]$/.exec(line)?.[1];
		const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
		if (name !== undefined) {
			section = unit[name] = {};
		} else if (section !== undefined && key !== undefined) {
			section[key] ??= [];
			section[key].push(value!);
		} else {
			throw new Error(`the unit has a line that is none: ${line}`);
		}
	}
	return unit;
}

/** What its `Environment=` lines set. */
export function unitEnvironment(unit: Unit): Record<string, string> {
	const pairs = (unit.Service?.Environment ?? []).flatMap((line) => line.split(" "));
	return Object.fromEntries(pairs.map((pair) => pair.split("=") as [string, string]));
}
