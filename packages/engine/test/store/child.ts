import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import readline from "node:readline";
import { programFile } from "../../../../scripts/lib/test-programs.ts";

const CHILDREN = path.join(import.meta.dirname, "children");

/** A Node process that runs one of the programs in `children/` from source. */
export function startChild(
	program: string,
	args: readonly string[],
	options: { uid?: number; nodeFlags?: readonly string[]; shell?: string } = {},
): { process: ChildProcess; lines: AsyncIterableIterator<string>; exited: Promise<string> } {
	const command = [
		process.execPath,
		"--conditions=@rivetkit/source",
		// What Node 24 does by itself, for Node 22.
		"--experimental-strip-types",
		"--no-warnings",
		...(options.nodeFlags ?? []),
		programFile(path.join(CHILDREN, program)),
		...args,
	];
	const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
	const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
	const child =
		options.shell === undefined
			? spawn(command[0]!, command.slice(1), { stdio, ...identity })
			: spawn("/bin/sh", ["-c", `${options.shell}; exec "$@"`, "sh", ...command], { stdio });
	let errors = "";
	child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
		errors += chunk;
	});
	const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return {
		process: child,
		lines: lines as AsyncIterableIterator<string>,
		exited: Promise.all([once(child, "exit"), once(child.stderr, "close")]).then(() => errors),
	};
}

/** The next line, which must come: a child that ended without it failed. */
export async function nextLine(child: ReturnType<typeof startChild>): Promise<string> {
	const { value, done } = await child.lines.next();
	if (done === true || value === undefined) {
		throw new Error(`The child ended: ${await child.exited}`);
	}
	return value;
}
