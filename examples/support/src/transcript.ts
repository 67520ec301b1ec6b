import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { ExampleServer } from "./server.ts";

/** Printed between the outputs of two commands. */
const SEPARATOR = "--- next command ---";

/** The ports that the examples' READMEs name. */
const MANAGER_PORT = /\b6420\b/g;
const PAGE_PORT = /\b3000\b/g;

interface Step {
	readonly command: string;
	readonly output: string;
}

/**
 * Runs the `console` blocks of the example's README as one shell session, and expects what the README shows. A `…` in an output stands for
 * anything within its line.
 */
export async function expectTranscript(server: ExampleServer): Promise<void> {
	const steps = stepsOf(await readFile(join(server.root, "README.md"), "utf8"));
	expect(steps.length).toBeGreaterThan(0);
	const outputs = await run(server, steps);
	for (const [index, { command, output }] of steps.entries()) {
		expect.soft(outputs[index], command).toMatch(patternOf(output));
	}
}

/** `$ ` begins a command, which goes on on the next line after a backslash; what follows is its output. */
export function stepsOf(markdown: string): Step[] {
	const steps: { command: string; output: string }[] = [];
	for (const [, block = ""] of markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
		let inCommand = false;
		for (const line of block.split("\n").slice(0, -1)) {
			const step = steps.at(-1);
			if (line.startsWith("$ ")) {
				steps.push({ command: line.slice(2), output: "" });
				inCommand = line.endsWith("\\");
			} else if (!step) {
				throw new Error(`a transcript begins with a command, not with "${line}"`);
			} else if (inCommand) {
				step.command += `\n${line}`;
				inCommand = line.endsWith("\\");
			} else {
				step.output += step.output === "" ? line : `\n${line}`;
			}
		}
	}
	return steps;
}

/** Matches an output, with anything in place of each `…`. */
export function patternOf(output: string): RegExp {
	const literal = output.trimEnd().replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
	return new RegExp(`^${literal.replaceAll("…", ".*")}$`);
}

async function run(server: ExampleServer, steps: readonly Step[]): Promise<string[]> {
	const script = steps
		.map(({ command }) => command)
		.join(`\necho '${SEPARATOR}'\n`)
		.replace(MANAGER_PORT, server.env.MANAGER_PORT ?? "")
		.replace(PAGE_PORT, server.env.PORT ?? "");
	const shell = spawn("bash", ["-c", script], {
		cwd: server.root,
		env: server.env,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	const hear = (chunk: Buffer) => {
		output += chunk.toString();
	};
	shell.stdout.on("data", hear);
	shell.stderr.on("data", hear);
	await new Promise((resolve) => shell.once("close", resolve));
	// Whatever did not end its last line runs into the separator.
	return output.split(SEPARATOR).map((part) => part.replaceAll("\r", "").trim());
}
