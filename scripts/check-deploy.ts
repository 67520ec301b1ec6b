// The files of deploy/, as far as that goes without Docker and Kubernetes: they are parsed and held against each other,
// the image is put together by hand from the Dockerfile, and the three nodes of the compose file run from it on a
// PostgreSQL, are called, and are stopped one after the other as an upgrade would. `--files` is the part that takes
// seconds: nothing is packed, installed or started.
import { execFile } from "node:child_process";
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { DEFAULT_LIMITS } from "../packages/engine/src/common/limits.ts";
import { resolveOptions } from "../packages/rivetkit/src/actor/options.ts";
import { parseRegistryConfig } from "../packages/rivetkit/src/registry/config/registry-config.ts";
import { readCompose, secondsOf } from "./deploy/compose.ts";
import { buildImage, type Image } from "./deploy/dockerfile.ts";
import { filesBelow } from "./deploy/dockerignore.ts";
import { Manifests } from "./deploy/kubernetes.ts";
import { readUnit, unitEnvironment } from "./deploy/unit.ts";
import { type Check, runChecks } from "./lib/checks.ts";
import { freePort } from "./lib/free-port.ts";
import { npm } from "./lib/npm.ts";
import { packPackages } from "./lib/pack.ts";
import { PostgresServer } from "./lib/postgres-server.ts";
import { StartedApp } from "./lib/started-app.ts";
import { repoRoot } from "./lib/workspaces.ts";

const run = promisify(execFile);

const DEPLOY = join(repoRoot, "deploy");
const APPLICATION = join(repoRoot, "examples", "hello-world");
const UNIT = "rivetkit-app.service";
const PASSWORD = "4f1c0ffee0";
const START_MS_MAX = 30_000;
const ANSWER_MS_MAX = 10_000;
/** How exposed systemd finds the unit, in tenths; 10.0 is not protected at all. */
const EXPOSURE_MAX = 20;
const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;

/** What the actors of an application may take to sleep, and the engine to close what is open then. */
const DRAIN_SECONDS_MAX =
	(resolveOptions({}).sleepGracePeriod + 2 * DEFAULT_LIMITS.closeGraceMs) / 1_000;

/** What lies in a developer's folder and has no business in an image. */
const DECOYS = [
	".env",
	".env.local",
	".npmrc",
	".git/config",
	".rivetkit/data",
	"id_rsa",
	"node_modules/left/index.js",
	"notes.txt",
	"server.key",
	"src/.env",
	"src/.npmrc",
	"src/actors.spec.ts",
	"src/actors.test.ts",
	"src/certificates/client.key",
	"src/certificates/client.pem",
	"src/debug.log",
	"src/node_modules/left/index.js",
	"src/test/support.ts",
	"test/actors.test.ts",
];

interface Node {
	readonly name: string;
	readonly url: string;
	readonly env: Readonly<Record<string, string>>;
	readonly graceMs: number;
	readonly app: StartedApp;
}

const read = (file: string) => readFileSync(join(DEPLOY, file), "utf8");
const compose = () => readCompose(read("compose.yaml"), { POSTGRES_PASSWORD: PASSWORD });
const manifests = () => new Manifests(join(DEPLOY, "kubernetes"));
const unit = () => readUnit(read(UNIT));
const nodesOf = ({ services }: ReturnType<typeof compose>) =>
	Object.entries(services).filter(([, { build }]) => build !== undefined);

const isFilesOnly = process.argv.includes("--files");
const folder = mkdtempSync(join(tmpdir(), "rivetkit-deploy-"));
await using server = isFilesOnly ? null : await PostgresServer.start();
const nodes: Node[] = [];
let image: Image;
let before: readonly string[] = [];

const checks: Check[] = [
	{
		title:
			"compose.yaml: three nodes that differ in name and address alone, and a PostgreSQL they wait for",
		run: () => {
			const all = compose();
			const found = nodesOf(all);
			same(
				found.map(([name]) => name),
				["node-1", "node-2", "node-3"],
			);
			same(Object.keys(all.services).sort(), ["node-1", "node-2", "node-3", "postgres"]);
			const alike = found.map(([name, service]) => {
				const { RIVET__NODE__NAME, RIVET__NODE__ADDRESS, ...shared } = service.environment;
				same(
					[RIVET__NODE__NAME, RIVET__NODE__ADDRESS],
					[name, `${name}:${shared.RIVET__NODE__PORT}`],
				);
				same(service.depends_on, { postgres: { condition: "service_healthy" } });
				same([service.read_only, service.cap_drop, service.tmpfs], [true, ["ALL"], ["/tmp"]]);
				return { ...service, environment: shared, ports: undefined };
			});
			for (const one of alike) same(one, alike[0]);
			const { environment, healthcheck, volumes } = all.services.postgres!;
			const url = new URL(alike[0]!.environment.RIVET__DATABASE__POSTGRES__URL!);
			same(
				[url.username, url.password, url.hostname, url.pathname],
				[
					environment.POSTGRES_USER,
					environment.POSTGRES_PASSWORD,
					"postgres",
					`/${environment.POSTGRES_DB}`,
				],
			);
			if (healthcheck === undefined)
				throw new Error("nothing tells when the PostgreSQL is healthy");
			same(
				volumes?.map((volume) => volume.split(":")[0]),
				Object.keys(all.volumes),
			);
			throws(() => readCompose(read("compose.yaml"), {}), /^POSTGRES_PASSWORD: set it in \.env/);
		},
	},
	{
		title: "Kubernetes: every manifest is listed and fits Kubernetes' own types",
		run: async () => {
			const all = manifests();
			same([...all.listed].sort(), [...all.files].sort());
			same(all.kinds, ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"]);
			const types = join(folder, "types");
			mkdirSync(types);
			await all.fitTypes(types);
		},
	},
	{
		title:
			"Kubernetes: the parts mean the same pods and ports, one node is missing at a time, no secret is written down",
		run: () => {
			const all = manifests();
			const { spec } = all.the("Deployment");
			const labels = spec?.template.metadata?.labels;
			const policy = all.the("NetworkPolicy").spec;
			same(spec?.selector.matchLabels, labels);
			same(all.the("Service").spec?.selector, labels);
			same(all.the("PodDisruptionBudget").spec?.selector?.matchLabels, labels);
			same(policy?.podSelector?.matchLabels, labels);
			same(policy?.ingress?.[1]?.from, [{ podSelector: { matchLabels: labels } }]);
			same(all.the("PodDisruptionBudget").spec?.maxUnavailable, 1);
			same(spec?.strategy?.rollingUpdate?.maxUnavailable, 1);
			if ((spec?.replicas ?? 0) < 3) throw new Error("there should be three nodes");
			const container = theContainer(all);
			const ports = container.ports?.map(({ name }) => name);
			same(
				all.the("Service").spec?.ports?.map(({ targetPort }) => targetPort),
				["http"],
			);
			same(
				policy?.ingress?.flatMap((rule) => rule.ports?.map(({ port }) => port)),
				ports,
			);
			for (const probe of [container.startupProbe, container.livenessProbe]) {
				same(probe?.httpGet, { path: "/health", port: "http" });
			}
			same(container.readinessProbe?.httpGet, { path: "/ready", port: "http" });
			const url = container.env?.find(({ name }) => name === "RIVET__DATABASE__POSTGRES__URL");
			if (url?.value !== undefined) throw new Error("the database's address should be in a Secret");
		},
	},
	{
		title: "every RIVET_ variable in the files is one that the configuration reads",
		run: () => {
			const texts = filesBelow(DEPLOY).map((file) => read(file));
			const names = new Set(texts.flatMap((text) => text.match(/\bRIVET_[A-Z_]*[A-Z]\b/g) ?? []));
			if (names.size < 5) throw new Error(`only ${[...names]} were found`);
			const unread = [...names].filter((name) => {
				const values = ["7001", "127.0.0.9:7001", "postgres://app@db.internal/app"];
				return !values.some((value) => configured({ [name]: value }) !== configured({}));
			});
			same(unread, []);
		},
	},
	{
		title:
			"the configuration takes what compose.yaml, the Deployment and the unit say, as it is meant",
		run: () => {
			for (const [name, { environment }] of nodesOf(compose())) {
				same(nodeOf(environment), { host: "0.0.0.0", port: 6421, address: `${name}:6421`, name });
			}
			const pod = {
				POD_IP: "10.1.2.3",
				RIVET__NODE__NAME: "app-1",
				RIVET__DATABASE__POSTGRES__URL: "postgres://db/app",
			};
			const inPod: Record<string, string> = Object.fromEntries(
				(theContainer(manifests()).env ?? []).map(({ name, value }) => [
					name,
					value?.replace(/\$\((\w+)\)/g, (_, other: keyof typeof pod) => pod[other]) ??
						pod[name as keyof typeof pod],
				]),
			);
			same(nodeOf(inPod), { host: "0.0.0.0", port: 6421, address: "10.1.2.3:6421", name: "app-1" });
			const onMachine = {
				...unitEnvironment(unit()),
				RIVET__DATABASE__POSTGRES__URL: "postgres://db/app",
			};
			same(nodeOf(onMachine), { host: "0.0.0.0", port: 6421, name: "%H" });
		},
	},
	{
		title: `every limit for a stop is longer than a drain may take (${DRAIN_SECONDS_MAX} s)`,
		run: () => {
			const pod = manifests().the("Deployment").spec?.template.spec;
			const [, pause] = theContainer(manifests()).lifecycle?.preStop?.exec?.command ?? [];
			const limits = {
				...Object.fromEntries(
					nodesOf(compose()).map(([name, service]) => [name, secondsOf(service.stop_grace_period)]),
				),
				Deployment: (pod?.terminationGracePeriodSeconds ?? 0) - Number(pause),
				[UNIT]: Number(unit().Service?.TimeoutStopSec?.[0]),
			};
			for (const [name, seconds] of Object.entries(limits)) {
				if (!(seconds > DRAIN_SECONDS_MAX)) throw new Error(`${name}: ${seconds} s`);
			}
		},
	},
	{
		title: isFilesOnly
			? "the Dockerfile builds by hand: what it copies is there; nothing is installed"
			: "the Dockerfile builds by hand: what it copies is there, and npm ci --omit=dev installs it",
		run: async () => {
			const project = join(folder, "project");
			await makeProject(project);
			image = await buildImage({
				dockerfile: read("Dockerfile"),
				dockerignore: read(".dockerignore"),
				context: project,
				into: folder,
				env: { ...process.env, PATH },
				...(isFilesOnly && { command: standInForInstall }),
			});
			before = snapshot(image.folder);
		},
	},
	{
		title:
			"the image has the application and what it needs; no secrets, no tests, no dev dependencies",
		run: () => {
			const sources = readdirSync(join(APPLICATION, "src")).map((file) => `src/${file}`);
			same([...image.ownFiles].sort(), ["package.json", ...sources].sort());
			const installed = readdirSync(join(image.folder, "node_modules"));
			if (!installed.includes("rivetkit")) throw new Error("rivetkit is not installed");
			if (installed.includes("dev-only")) throw new Error("a dev dependency is installed");
			console.log(`        ${image.ownFiles.join(" ")}`);
			console.log(
				`        node_modules: ${installed.filter((name) => !name.startsWith(".")).join(" ")}`,
			);
		},
	},
	{
		title:
			"the image, compose.yaml, the Deployment and the unit agree on user, ports, signal and command",
		run: () => {
			// The rest of this check runs on the same Node.
			const [major] = process.versions.node.split(".");
			same(image.base.split(/[.-]/)[0], `node:${major}`);
			same(image.user, "1000:1000");
			same(image.stopSignal, "SIGTERM");
			const { ports, securityContext } = theContainer(manifests());
			const pod = manifests().the("Deployment").spec?.template.spec?.securityContext;
			same(
				ports?.map(({ containerPort }) => String(containerPort)),
				image.ports,
			);
			same([`${pod?.runAsUser}:${pod?.runAsGroup}`, pod?.runAsNonRoot], [image.user, true]);
			same(securityContext?.readOnlyRootFilesystem, true);
			for (const [, service] of nodesOf(compose())) {
				same(service.ports?.[0]?.split(":").at(-1), image.env.PORT);
				same([service.environment.RIVET__NODE__PORT], image.ports.slice(1));
				same(service.stop_signal, image.stopSignal);
			}
			const { Service } = unit();
			same(Service?.ExecStart, [`/usr/bin/${image.command.join(" ")}`]);
			same(Service?.KillSignal, [image.stopSignal]);
			const { PORT, RIVET__NODE__PORT } = unitEnvironment(unit());
			same([PORT, RIVET__NODE__PORT], image.ports);
		},
	},
];

const runningChecks: Check[] = [
	{
		title: "the three nodes of compose.yaml start from the image, and its health check says so",
		run: async () => {
			await query("CREATE ROLE app LOGIN SUPERUSER");
			await query("CREATE DATABASE app OWNER app");
			await startNodes();
			await Promise.all(nodes.map(healthy));
		},
	},
	{
		title: "a call through each of them reaches the same actor",
		run: async () => {
			for (const [index, node] of nodes.entries()) same(await increment(node), index + 1);
		},
	},
	{
		title:
			"SIGTERM to one after the other: each drains and exits with 0 in its time, and the count goes on",
		run: async () => {
			for (const [index, node] of nodes.entries()) {
				const began = performance.now();
				const code = await node.app.terminate(node.graceMs);
				if (code !== 0) throw new Error(`${node.name} exited with ${code}:\n${node.app.output}`);
				console.log(
					`        ${node.name} stopped after ${Math.round(performance.now() - began)} ms`,
				);
				const next = nodes[index + 1];
				if (next !== undefined) same(await increment(next), nodes.length + index + 1);
			}
			const rows = await query("SELECT count(*)::int AS nodes FROM rivetkit.nodes", "app");
			same(rows, [{ nodes: 0 }]);
		},
	},
	{
		title: "the nodes wrote nothing into the image: its root may be read-only",
		run: () => {
			const changed = snapshot(image.folder).filter((line) => !before.includes(line));
			same(changed, []);
		},
	},
];
if (!isFilesOnly) checks.push(...runningChecks);

if (await isThere("systemd-analyze")) {
	checks.push({
		title: "systemd-analyze finds the unit right, and little exposed",
		run: async () => {
			// It wants the program to be there; nothing else is changed.
			const copy = join(folder, UNIT);
			writeFileSync(
				copy,
				read(UNIT).replace("ExecStart=/usr/bin/node ", `ExecStart=${process.execPath} `),
			);
			const { stdout, stderr } = await run("systemd-analyze", ["verify", copy]);
			const remarks = (stdout + stderr).split("\n").filter((line) => line.includes(UNIT));
			same(remarks, []);
			const threshold = `--threshold=${EXPOSURE_MAX}`;
			await run("systemd-analyze", ["security", "--offline=true", threshold, copy]);
		},
	});
} else {
	console.log("not here: systemd-analyze, so the unit is only parsed");
}
if (await isThere("kubectl")) {
	checks.push({
		title: "kubectl kustomize puts the manifests together",
		run: async () => {
			const { stdout } = await run("kubectl", ["kustomize", join(DEPLOY, "kubernetes")]);
			same(
				[...stdout.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind).sort(),
				manifests().kinds,
			);
		},
	});
} else {
	console.log("not here: kubectl, so the kustomization is only parsed");
}

try {
	process.exitCode = await runChecks(checks);
} finally {
	await Promise.all(nodes.map(({ app }) => app.kill()));
	rmSync(folder, { recursive: true, force: true });
}

/** The hello-world as its author has it: with what is in the folder, and the packed packages as dependencies. */
async function makeProject(project: string): Promise<void> {
	const packed = isFilesOnly
		? []
		: await packPackages(join(folder, "tarballs"), (name) =>
				/^(rivetkit|@rivetkit\/(dashboard|engine|protocol))$/.test(name),
			);
	mkdirSync(project);
	cpSync(join(APPLICATION, "src"), join(project, "src"), { recursive: true });
	for (const decoy of DECOYS) {
		mkdirSync(dirname(join(project, decoy)), { recursive: true });
		writeFileSync(join(project, decoy), "not for an image");
	}
	const devOnly = join(folder, "dev-only");
	mkdirSync(devOnly);
	writeFileSync(join(devOnly, "package.json"), '{ "name": "dev-only", "version": "1.0.0" }');
	const tarballs = packed.map(({ workspace, tarball }) => [
		workspace.manifest.name,
		`file:${tarball}`,
	]);
	const manifest = {
		name: "app",
		version: "1.0.0",
		private: true,
		type: "module",
		dependencies: Object.fromEntries(tarballs),
		devDependencies: { "dev-only": `file:${devOnly}` },
	};
	writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
	if (isFilesOnly) {
		writeFileSync(join(project, "package-lock.json"), "{}");
		return;
	}
	await npm(project, "install", "--package-lock-only", "--ignore-scripts", "--prefer-offline");
}

/** Leaves what `npm ci` would, as far as the files are looked at. */
async function standInForInstall(text: string, stage: string): Promise<void> {
	if (!text.startsWith("npm ci --omit=dev ")) throw new Error(`not known here: RUN ${text}`);
	const installed = join(stage, "node_modules", "rivetkit");
	mkdirSync(installed, { recursive: true });
	writeFileSync(join(installed, "package.json"), "{}");
}

/** As the compose file says it, but for the names of machines, which are all this one, and their ports. */
async function startNodes(): Promise<void> {
	const all = nodesOf(compose());
	const links = new Map<string, number>();
	for (const [name] of all) links.set(name, await freePort());
	for (const [name, { environment, stop_grace_period }] of all) {
		const { RIVET__DATABASE__POSTGRES__URL: url = "" } = environment;
		const port = String(await freePort());
		const env = {
			PATH,
			...image.env,
			...environment,
			HOST: "127.0.0.1",
			PORT: port,
			RIVET__NODE__HOST: "127.0.0.1",
			RIVET__NODE__PORT: String(links.get(name)),
			RIVET__NODE__ADDRESS: `127.0.0.1:${links.get(name)}`,
			RIVET__DATABASE__POSTGRES__URL: url.replace("@postgres:5432/", `@127.0.0.1:${server!.port}/`),
		};
		const app = new StartedApp(`exec ${image.command.join(" ")}`, { cwd: image.folder, env });
		const graceMs = secondsOf(stop_grace_period) * 1_000;
		nodes.push({ name, url: `http://127.0.0.1:${port}`, env, graceMs, app });
	}
}

/** Runs the image's health check until it is content. */
async function healthy({ name, env, app }: Node): Promise<void> {
	const [program, ...rest] = image.healthcheck;
	const giveUpAt = performance.now() + START_MS_MAX;
	for (;;) {
		const isHealthy = await run(program!, rest, { env }).then(
			() => true,
			() => false,
		);
		if (isHealthy) return;
		if (performance.now() > giveUpAt)
			throw new Error(`${name} does not get healthy:\n${app.output}`);
	}
}

async function increment({ name, url }: Node): Promise<unknown> {
	const where = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=deployed";
	const answer = await fetch(`${url}/gateway/counter/action/increment?${where}`, {
		method: "POST",
		body: '{"args":[1]}',
		signal: AbortSignal.timeout(ANSWER_MS_MAX),
	});
	const text = await answer.text();
	if (!answer.ok) throw new Error(`${name} answered ${answer.status}: ${text}`);
	return (JSON.parse(text) as { output: unknown }).output;
}

async function query(text: string, database?: string): Promise<unknown[]> {
	const client = new Client({ connectionString: server!.url(database) });
	await client.connect();
	try {
		return (await client.query(text)).rows as unknown[];
	} finally {
		await client.end();
	}
}

/** What an environment makes of the configuration, as text. */
function configured(env: Readonly<Record<string, string>>): string {
	const config = parseRegistryConfig({ use: {} }, env);
	return JSON.stringify({ ...config, inspectorToken: config.inspector.token() });
}

function nodeOf(env: Readonly<Record<string, string>>): unknown {
	const { database, node } = parseRegistryConfig({ use: {} }, env);
	if (database === undefined) throw new Error("no database is configured");
	return node;
}

function theContainer(all: Manifests) {
	const [container, ...more] = all.the("Deployment").spec?.template.spec?.containers ?? [];
	if (container === undefined || more.length > 0) throw new Error("there should be one container");
	return container;
}

/** Every file with its size and when it was written last. */
function snapshot(root: string): string[] {
	return filesBelow(root).map((file) => {
		const { size, mtimeMs } = statSync(join(root, file));
		return `${file} ${size} ${mtimeMs}`;
	});
}

async function isThere(program: string): Promise<boolean> {
	return run("which", [program]).then(
		() => true,
		() => false,
	);
}

function same(seen: unknown, expected: unknown): void {
	const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)];
	if (left !== right) throw new Error(`expected ${right}, got ${left}`);
}

function throws(action: () => unknown, message: RegExp): void {
	try {
		action();
	} catch (error) {
		if (message.test((error as Error).message)) return;
		throw error;
	}
	throw new Error(`should have failed with ${message}`);
}
