import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { programFile } from "../../../../../scripts/lib/test-programs.ts";
import type { Streams } from "../../../src/cli/output/terminal.ts";
import { runProgram } from "../../../src/cli/program.ts";

const MAIN = programFile(fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url)));

/** What Node runs it with. */
export const CLI = [
	"--conditions=@rivetkit/source",
	"--disable-warning=ExperimentalWarning",
	MAIN,
] as const;

export interface CliOutcome {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

export interface CliOptions {
	/** What comes on the standard input; nothing when absent. */
	readonly input?: string | Uint8Array;
	readonly env?: Readonly<Record<string, string>>;
	readonly cwd?: string;
}

/** Runs the command in this process, without a terminal: much cheaper, with the same streams and exit code. */
export async function runCliHere(
	args: readonly string[],
	{ input = "", env = {} }: Omit<CliOptions, "cwd"> = {},
): Promise<CliOutcome> {
	const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
	stdin.end(input);
	const code = await runProgram(args, { stdin, stdout, stderr, env } as unknown as Streams);
	const text = (stream: PassThrough) => String(stream.read() ?? "");
	return { code, stdout: text(stdout), stderr: text(stderr) };
}

export interface RunningCli {
	/** What it has printed so far. */
	readonly stdout: string;
	readonly ended: Promise<CliOutcome>;
	signal(signal: NodeJS.Signals): void;
}

/** Runs the command as a process of its own, without a terminal. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
	return startCli(args, options).ended;
}

/** The same, for what does not end by itself. */
export function startCli(
	args: readonly string[],
	{ input, env = {}, cwd }: CliOptions = {},
): RunningCli {
	const { PATH = "", HOME = "", NODE_COMPILE_CACHE = "" } = process.env;
	const child = spawn(process.execPath, [...CLI, ...args], {
		env: { PATH, HOME, NODE_COMPILE_CACHE, ...env },
		stdio: "pipe",
		...(cwd === undefined ? {} : { cwd }),
	});
	const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
	const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
	child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk));
	child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk));
	child.stdin.on("error", () => {});
	child.stdin.end(input);
	const ended = new Promise<CliOutcome>((resolve, reject) => {
		child.once("error", reject);
		child.once("close", (code) => {
			resolve({ code, stdout: text(output.stdout), stderr: text(output.stderr) });
		});
	});
	return {
		get stdout() {
			return text(output.stdout);
		},
		ended,
		signal: (signal) => void child.kill(signal),
	};
}
