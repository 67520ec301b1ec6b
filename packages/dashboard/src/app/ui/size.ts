const UNITS = ["bytes", "kB", "MB", "GB"];

/** Bytes in the unit that keeps them short. */
export function bytesText(bytes: number): string {
	if (bytes === 1) return "1 byte";
	let value = bytes;
	let unit = 0;
	while (value >= 1_000 && unit < UNITS.length - 1) {
		value /= 1_000;
		unit += 1;
	}
	return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}
