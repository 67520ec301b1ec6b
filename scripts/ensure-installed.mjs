// @ts-check

// Makes `npm start` and `npm test` work in a fresh clone: installs what the lockfile asks for when it
// is not there, then runs the given command on the repository's own Node (the dev dependency `node`).
//
//     node scripts/ensure-installed.mjs [command [argument …]]
//
// Plain JavaScript without dependencies: it runs before anything is installed, and on Node 20.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the sources need: type stripping without a flag, `node:sqlite`, `require()` of ESM. */
const NODE_FOR_SOURCES = [22, 18];
/** What npm 11 and this script need. */
const NODE_FOR_SETUP = [20, 0];
/** How soon it is noticed that npm was killed. */
const PARENT_LOOK_MS = 500;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");

/** @param {string} version @param {readonly number[]} minimum */
export function isAtLeast(version, minimum) {
	const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
	const [wantedMajor = 0, wantedMinor = 0] = minimum;
	return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * Compares the lockfile with npm's record of what it installed. Content, not file times: a clone, a
 * branch switch or a touched file must not reinstall. Optional packages of other platforms are
 * absent on purpose.
 *
 * @param {{ packages: Record<string, { version?: string, integrity?: string, optional?: boolean }> }} wanted
 * @param {{ packages: Record<string, { version?: string, integrity?: string }> }} installed
 * @returns {string | undefined} the first package that is missing or another one than locked
 */
export function firstDifference(wanted, installed) {
	for (const [path, entry] of Object.entries(wanted.packages)) {
		if (path === "") continue;
		const found = installed.packages[path];
		if (found === undefined) {
			if (entry.optional) continue;
			return path;
		}
		if (found.version !== entry.version) return path;
		if (entry.integrity && found.integrity && found.integrity !== entry.integrity) return path;
	}
	return undefined;
}

/** @returns {string | undefined} why an installation is due */
function reasonToInstall() {
	const record = join(root, "node_modules", ".package-lock.json");
	if (!existsSync(record)) return "node_modules is missing";
	const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
	const installed = JSON.parse(readFileSync(record, "utf8"));
	const difference = firstDifference(wanted, installed);
	return difference && `${difference} is not what package-lock.json asks for`;
}

/** @returns {never} */
function fail(/** @type {string} */ message) {
	console.error(message);
	process.exit(1);
}

function install(/** @type {string} */ reason) {
	console.error(`Installing dependencies (${reason}) …`);
	const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
		cwd: root,
		// npm's closing line goes to stderr with the rest: stdout belongs to the command that follows.
		stdio: ["ignore", 2, 2],
		shell: process.platform === "win32",
	});
	if (result.status !== 0) {
		fail("The dependencies could not be installed: see npm's message above, then try again.");
	}
}

/** The Node that runs everything else: the repository's own, or this one when it is new enough. */
function nodeForSources() {
	const own = join(bin, process.platform === "win32" ? "node.cmd" : "node");
	const answer = spawnSync(own, ["--version"], {
		encoding: "utf8",
		shell: process.platform === "win32",
	});
	const version = answer.status === 0 ? answer.stdout.trim() : "";
	if (isAtLeast(version, NODE_FOR_SOURCES)) return own;
	if (isAtLeast(process.versions.node, NODE_FOR_SOURCES)) return process.execPath;
	fail(
		`This repository is developed on Node ${NODE_FOR_SOURCES.join(".")} or newer. Its dev dependency ` +
			`"node" brings one, but it answers "${version}" (were install scripts blocked?): ` +
			`run "npm rebuild node", or use a newer Node than ${process.version}.`,
	);
}

/** Runs the command, and ends as it does. A script (`node …`) is stopped when this, or npm, is killed; not so on Windows. */
export function run(/** @type {string[]} */ [command = "", ...commandArguments]) {
	const node = nodeForSources();
	const [program, programArguments] =
		command === "node" ? [node, commandArguments] : [command, commandArguments];
	const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) };
	const isWindows = process.platform === "win32";
	const isPart = command === "node" && !isWindows;
	const child = spawn(program, programArguments, {
		// By the channel it notices that this was killed (scripts/lib/end-with-starter.ts).
		stdio: isPart ? ["inherit", "inherit", "inherit", "ipc"] : "inherit",
		env,
		shell: isWindows,
	});
	// A terminal sends Ctrl-C to the whole group: stay until the child has shut down in its own way.
	process.on("SIGINT", () => {});
	process.on("SIGTERM", () => child.kill("SIGTERM"));
	if (isPart) whenOrphaned(() => child.kill("SIGTERM"));
	child.on("error", (error) => fail(`${command} could not be started: ${error.message}`));
	child.on("exit", (code, signal) => {
		if (signal === null) process.exit(code ?? 1);
		process.removeAllListeners(signal);
		process.kill(process.pid, signal);
	});
}

/** There is no channel to npm; but who loses the parent gets another one. Between npm and this there may be a shell, which stays. */
function whenOrphaned(/** @type {() => void} */ act) {
	const starter = process.ppid;
	const npm = process.env.npm_lifecycle_event === undefined ? null : parentOf(starter);
	const looks = setInterval(() => {
		if (process.ppid === starter && (npm === null || isRunning(npm))) return;
		clearInterval(looks);
		act();
	}, PARENT_LOOK_MS);
}

/** Null where that cannot be asked. */
function parentOf(/** @type {number} */ pid) {
	const { stdout } = spawnSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" });
	return Number(stdout) || null;
}

function isRunning(/** @type {number} */ pid) {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		return /** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH";
	}
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	if (!isAtLeast(process.versions.node, NODE_FOR_SETUP)) {
		fail(`Setting up this repository needs Node 20 or newer; this is ${process.version}.`);
	}
	const reason = reasonToInstall();
	if (reason !== undefined) install(reason);
	if (process.argv.length > 2) run(process.argv.slice(2));
}
