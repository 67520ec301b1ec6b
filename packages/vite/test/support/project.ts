import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../../scripts/lib/free-port.ts";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");
const vite = join(repository, "node_modules", "vite", "bin", "vite.js");

/** A folder with a Vite project in it, and the `vite` that serves it. */
export class Project {
	readonly folder: string;
	readonly port: number;
	readonly managerPort: number;
	/** All that `vite` has printed. */
	output = "";
	#child: ChildProcess | undefined;

	private constructor(folder: string, port: number, managerPort: number) {
		this.folder = folder;
		this.port = port;
		this.managerPort = managerPort;
	}

	static async create(files: Readonly<Record<string, string>>): Promise<Project> {
		const folder = await mkdtemp(join(tmpdir(), "rivetkit-vite-"));
		const project = new Project(folder, await freePort(), await freePort());
		await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
		await writeFile(join(folder, "package.json"), '{ "type": "module" }');
		await project.write(
			"index.html",
			'<h1>The page</h1><script type="module" src="/src/main.ts"></script>',
		);
		for (const [file, text] of Object.entries(files)) await project.write(file, text);
		return project;
	}

	get origin(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	get endpoint(): string {
		return `${this.origin}/api/rivet`;
	}

	async write(file: string, text: string): Promise<void> {
		const path = join(this.folder, file);
		await mkdir(dirname(path), { recursive: true });
		await writeFile(path, text);
	}

	/** Runs `vite`. Resolves when it serves or has ended. @returns its exit code, null when it serves */
	async serve(): Promise<number | null> {
		const child = this.#run("--port", `${this.port}`, "--strictPort", "--host", "127.0.0.1");
		return new Promise((resolve) => {
			const look = () => {
				if (/Local:/.test(this.output)) resolve(null);
			};
			child.stdout!.on("data", look);
			child.once("close", (code) => resolve(code ?? 1));
		});
	}

	/** Runs `vite build`. @returns its exit code */
	build(): Promise<number> {
		const child = this.#run("build");
		return new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
	}

	/** As Ctrl-C does. @returns the exit code */
	async stop(): Promise<number | null> {
		const child = this.#child;
		if (!child || child.exitCode !== null || child.signalCode !== null) return null;
		return new Promise((resolve) => {
			child.once("close", resolve);
			child.kill("SIGINT");
		});
	}

	async remove(): Promise<void> {
		this.#child?.kill("SIGKILL");
		await rm(this.folder, { recursive: true, force: true });
	}

	#run(...rest: string[]): ChildProcess {
		const { NODE_ENV: _, VITEST: __, ...env } = process.env;
		const child = spawn(
			process.execPath,
			[
				"--conditions=@rivetkit/source",
				"--disable-warning=ExperimentalWarning",
				vite,
				...rest,
				"--configLoader",
				"native",
			],
			{ cwd: this.folder, env: { ...env, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] },
		);
		const hear = (chunk: Buffer) => {
			this.output += chunk.toString();
		};
		child.stdout!.on("data", hear);
		child.stderr!.on("data", hear);
		this.#child = child;
		return child;
	}
}
