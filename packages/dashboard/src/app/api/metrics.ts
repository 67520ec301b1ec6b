import { callApi } from "./http.ts";
import type { Session } from "./session.ts";

/** One series at one time. */
export interface Sample {
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format of Prometheus; lines that are no samples are passed over. */
export function parseMetrics(text: string): Sample[] {
	const samples: Sample[] = [];
	for (const line of text.split("\n")) {
		const match = line.startsWith("#") ? null : LINE.exec(line);
		if (match === null) continue;
		const [, name = "", labels = "", value = ""] = match;
		const pairs = [...labels.matchAll(LABEL)].map(([, label = "", quoted = ""]) => [
			label,
			quoted.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
		]);
		samples.push({ name, labels: Object.fromEntries(pairs), value: readNumber(value) });
	}
	return samples;
}

export async function fetchMetrics(session: Session, signal: AbortSignal): Promise<Sample[]> {
	const text = await callApi(session, "/metrics", { signal });
	return parseMetrics(typeof text === "string" ? text : "");
}

function readNumber(text: string): number {
	if (text === "+Inf") return Number.POSITIVE_INFINITY;
	return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
