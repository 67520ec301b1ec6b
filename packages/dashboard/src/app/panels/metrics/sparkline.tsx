import type { Series } from "./series.ts";

const WIDTH = 220;
const HEIGHT = 44;
/** Room for the ends of a line. */
const EDGE = 2;

/** A number now, and the line it came along. */
export function Sparkline({
	title,
	series,
	print,
}: {
	title: string;
	series: Series;
	print: (value: number) => string;
}) {
	const last = series.findLast((value) => value !== null) ?? null;
	const known = series.filter((value) => value !== null);
	const peak = Math.max(0, ...known);
	return (
		<figure className="chart">
			<figcaption>
				<span className="chart-title">{title}</span>
				<span className="chart-value numeric">{last === null ? "–" : print(last)}</span>
				<span className="muted numeric">{peak > 0 ? `up to ${print(peak)}` : ""}</span>
			</figcaption>
			<svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
				<path className="chart-line" d={lineOf(series, peak)} />
			</svg>
		</figure>
	);
}

/** From left to right; breaks where nothing is known. A value with none beside it is a dot. */
export function lineOf(series: Series, peak: number): string {
	const step = (WIDTH - 2 * EDGE) / Math.max(series.length - 1, 1);
	let isDrawing = false;
	return series
		.map((value, at) => {
			if (value === null) {
				isDrawing = false;
				return "";
			}
			const y = HEIGHT - 2 - (peak === 0 ? 0 : (value / peak) * (HEIGHT - 6));
			const command = isDrawing ? "L" : "M";
			const isAlone = !isDrawing && (series[at + 1] ?? null) === null;
			isDrawing = true;
			// The round ends of a line without length.
			return `${command}${(EDGE + at * step).toFixed(1)} ${y.toFixed(1)}${isAlone ? "h0" : ""}`;
		})
		.join("");
}
