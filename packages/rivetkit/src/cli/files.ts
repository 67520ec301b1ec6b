import { createReadStream } from "node:fs";
import { access, constants, open, rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { CommandFailed } from "./failure.ts";
import type { Streams } from "./output/terminal.ts";

/** The file that an actor is exported to; its name is safe on every file system. */
export function defaultFile({ name, key }: { name: string; key: readonly string[] }): string {
	const words = [name, ...key].map((part) => part.replace(/[^\p{L}\p{N}._-]+/gu, "_"));
	return `${words
		.join("-")
		.replace(/^[.-]+/, "_")
		.slice(0, 100)}.rivetactor`;
}

const FILE_CALLS: ReadonlySet<string> = new Set(["open", "write", "fsync", "rename"]);

/**
 * Writes an exported actor: beside its place, and moves it there when it is whole. Resolves with how many bytes it
 * has. Throws {@link CommandFailed}, also when something is there and `force` does not say so.
 */
export async function writeFile(
	file: ReadableStream<Uint8Array>,
	path: string,
	{ force, whenThere = "" }: { readonly force: boolean; readonly whenThere?: string },
): Promise<number> {
	const partial = `${path}.partial-${process.pid}`;
	let bytes = 0;
	try {
		// Takes the name, so that nobody else's file is written over.
		if (!force) await (await open(path, "wx")).close();
		const handle = await open(partial, "w", 0o600);
		try {
			for await (const chunk of file) {
				await handle.writeFile(chunk);
				bytes += chunk.byteLength;
			}
			await handle.sync();
		} finally {
			await handle.close();
		}
		await rename(partial, path);
		return bytes;
	} catch (error) {
		// Where it was being read, that has ended it.
		await file.cancel().catch(() => {});
		const { code, syscall } = error as NodeJS.ErrnoException;
		if (code === "EEXIST" && syscall === "open") {
			throw new CommandFailed(`${path} is there already${whenThere}.`);
		}
		await rm(partial, { force: true });
		if (!force) await rm(path, { force: true });
		if (syscall !== undefined && FILE_CALLS.has(syscall)) {
			throw new CommandFailed(`Cannot write ${path}: ${code}.`, { cause: error });
		}
		throw brokenExport(error);
	}
}

export function brokenExport(error: unknown): CommandFailed {
	const reason = error instanceof Error ? error.message : String(error);
	return new CommandFailed(`The export broke off (${reason}); nothing was kept, try again.`, {
		cause: error,
	});
}

/** An exported actor, or `-` for the standard input. Throws {@link CommandFailed}. */
export async function readFile(
	path: string,
	streams?: Pick<Streams, "stdin">,
): Promise<ReadableStream<Uint8Array>> {
	if (path === "-" && streams) {
		return Readable.toWeb(streams.stdin) as ReadableStream<Uint8Array>;
	}
	try {
		await access(path, constants.R_OK);
	} catch (error) {
		throw cannotRead(path, error);
	}
	return Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
}

export function cannotRead(path: string, error: unknown): CommandFailed {
	const { code, message } = error as NodeJS.ErrnoException;
	const reason = code === "ENOENT" ? "there is no such file" : (code ?? message);
	return new CommandFailed(`Cannot read ${path}: ${reason}.`, { cause: error });
}
