/** Does by hand what `docker build` would: there is no Docker where this repository is checked. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, statSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { promisify } from "node:util";
import { contextFiles, filesBelow } from "./dockerignore.ts";

const run = promisify(execFile);

interface Stage {
	readonly from: string;
	readonly name: string | undefined;
	readonly instructions: readonly Instruction[];
}

interface Instruction {
	readonly name: string;
	readonly text: string;
}

/** An image as a folder, and how it is run. */
export interface Image {
	/** What `WORKDIR` is in the image; its base image has the rest. */
	readonly folder: string;
	readonly base: string;
	readonly env: Readonly<Record<string, string>>;
	readonly user: string;
	readonly ports: readonly string[];
	readonly stopSignal: string;
	readonly command: readonly string[];
	readonly healthcheck: readonly string[];
	/** Files that are copied from the context, relative to {@link folder}. */
	readonly ownFiles: readonly string[];
}

export interface BuildOptions {
	readonly dockerfile: string;
	readonly dockerignore: string;
	readonly context: string;
	/** Where each stage gets a folder. */
	readonly into: string;
	/** For commands of `RUN`. */
	readonly env: NodeJS.ProcessEnv;
	/** Does what a `RUN` says in the folder of its stage. Default: bash does. */
	readonly command?: (text: string, folder: string, env: NodeJS.ProcessEnv) => Promise<unknown>;
}

/** Builds the last stage. Throws at an instruction that it does not know, and at a `COPY` of what is not there. */
export async function buildImage(options: BuildOptions): Promise<Image> {
	const sent = contextFiles(options.context, options.dockerignore);
	const built = new Map<string, { workdir: string; folder: string }>();
	let image: Image | undefined;
	for (const [index, stage] of stagesOf(options.dockerfile).entries()) {
		const folder = join(options.into, `stage-${index}`);
		mkdirSync(folder);
		image = await buildStage(stage, folder, sent, built, options);
	}
	if (image === undefined) throw new Error("the Dockerfile has no FROM");
	return image;
}

async function buildStage(
	stage: Stage,
	folder: string,
	sent: readonly string[],
	built: Map<string, { workdir: string; folder: string }>,
	{ context, env: runEnv, command: runCommand = inBash }: BuildOptions,
): Promise<Image> {
	let workdir = "/";
	const env: Record<string, string> = {};
	let user = "root";
	let stopSignal = "SIGTERM";
	let ports: string[] = [];
	let command: string[] = [];
	let healthcheck: string[] = [];
	const ownFiles: string[] = [];
	for (const { name, text } of stage.instructions) {
		switch (name) {
			case "WORKDIR":
				workdir = text;
				break;
			case "ENV":
				for (const pair of text.split(/\s+/)) {
					const [key, value] = splitOnce(pair, "=");
					env[key] = value;
				}
				break;
			case "COPY": {
				const parts = text.split(/\s+/);
				const from = parts[0]!.startsWith("--from=") ? parts.shift()!.slice("--from=".length) : "";
				const to = parts.pop()!;
				for (const source of parts) {
					if (from === "") ownFiles.push(...copySent(context, sent, source, folder, to));
					else copyBuilt(built.get(from), source, join(folder, to), from);
				}
				break;
			}
			case "RUN":
				await runCommand(text, folder, { ...runEnv, ...env });
				break;
			case "USER":
				user = text;
				break;
			case "EXPOSE":
				ports = text.split(/\s+/);
				break;
			case "STOPSIGNAL":
				stopSignal = text;
				break;
			case "CMD":
				command = words(text);
				break;
			case "HEALTHCHECK":
				healthcheck = words(text.replace(/^(--\S+\s+)*CMD\s+/, ""));
				break;
			default:
				throw new Error(`the Dockerfile has an instruction that is not known here: ${name}`);
		}
	}
	if (stage.name !== undefined) built.set(stage.name, { workdir, folder });
	return {
		...{ folder, base: stage.from, env, ownFiles },
		...{ user, stopSignal, ports, command, healthcheck },
	};
}

function inBash(text: string, folder: string, env: NodeJS.ProcessEnv): Promise<unknown> {
	return run("bash", ["-c", text], { cwd: folder, env });
}

function copySent(
	context: string,
	sent: readonly string[],
	source: string,
	folder: string,
	to: string,
): string[] {
	const taken = sent.filter((file) => file === source || file.startsWith(`${source}/`));
	if (taken.length === 0) {
		throw new Error(`COPY ${source}: it is not there, or .dockerignore takes it out`);
	}
	return taken.map((file) => {
		// What is in a folder is copied, not the folder.
		const rest =
			file === source ? (to.endsWith("/") ? basename(source) : "") : posix.relative(source, file);
		const target = posix.join(to, rest);
		mkdirSync(dirname(join(folder, target)), { recursive: true });
		cpSync(join(context, file), join(folder, target));
		return target;
	});
}

function copyBuilt(
	stage: { workdir: string; folder: string } | undefined,
	source: string,
	to: string,
	from: string,
): void {
	if (stage === undefined) throw new Error(`COPY --from=${from}: there is no such stage before`);
	const path = join(stage.folder, posix.relative(stage.workdir, source));
	if (!existsSync(path))
		throw new Error(`COPY --from=${from} ${source}: the stage does not have it`);
	if (statSync(path).isDirectory() && filesBelow(path).length === 0) {
		throw new Error(`COPY --from=${from} ${source}: it is empty`);
	}
	cpSync(path, to, { recursive: true, verbatimSymlinks: true });
}

function stagesOf(dockerfile: string): Stage[] {
	const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
	const lines = dockerfile
		.split("\n")
		.filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"))
		.join("\n")
		.replace(/\\\n\s*/g, "")
		.split("\n");
	for (const line of lines) {
		const [name, text] = splitOnce(line.trim(), " ");
		if (name === "FROM") {
			const [from, , alias] = text.split(/\s+/);
			stages.push({ from: from!, name: alias, instructions: [] });
		} else {
			stages.at(-1)!.instructions.push({ name, text: text.trim() });
		}
	}
	return stages;
}

/** The exec form. Throws at the shell form, whose shell would keep signals from the program. */
function words(text: string): string[] {
	const parsed: unknown = JSON.parse(text);
	if (!Array.isArray(parsed)) throw new Error(`${text} is not a list of words`);
	return parsed.map(String);
}

function splitOnce(text: string, separator: string): [string, string] {
	const at = text.indexOf(separator);
	if (at < 0) throw new Error(`"${text}" lacks "${separator}"`);
	return [text.slice(0, at), text.slice(at + separator.length)];
}
