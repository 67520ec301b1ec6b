import type { Histogram } from "./histogram.ts";

/** The media type of {@link PrometheusText}. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** The text format of Prometheus, family by family. */
export class PrometheusText {
	#text = "";

	get text(): string {
		return this.#text;
	}

	/** A family without samples is left out. */
	gauge(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
		this.#family(name, "gauge", help, samples);
	}

	/** The name ends in `_total`. */
	counter(name: string, help: string, samples: Iterable<readonly [Labels, number]>): void {
		this.#family(name, "counter", help, samples);
	}

	histogram(name: string, help: string, samples: Iterable<readonly [Labels, Histogram]>): void {
		let lines = "";
		for (const [labels, { bounds, counts, count, sum }] of samples) {
			let upTo = 0;
			for (const [at, bound] of bounds.entries()) {
				upTo += counts[at]!;
				lines += line(`${name}_bucket`, { ...labels, le: String(bound) }, upTo);
			}
			lines += line(`${name}_bucket`, { ...labels, le: "+Inf" }, count);
			lines += line(`${name}_sum`, labels, sum);
			lines += line(`${name}_count`, labels, count);
		}
		this.#add(name, "histogram", help, lines);
	}

	#family(
		name: string,
		type: string,
		help: string,
		samples: Iterable<readonly [Labels, number]>,
	): void {
		let lines = "";
		for (const [labels, value] of samples) lines += line(name, labels, value);
		this.#add(name, type, help, lines);
	}

	#add(name: string, type: string, help: string, lines: string): void {
		if (lines === "") return;
		this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
	}
}

function line(name: string, labels: Labels, value: number): string {
	const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
	return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
}

function escaped(text: string): string {
	return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
