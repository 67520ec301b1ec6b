import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "./support/project.ts";

/** Users need no conditions: these are for running on our sources, as all of this process does. */
const CONFIG = `
import { rivetkit } from "@rivetkit/vite";
const conditions = ["@rivetkit/source", "node", "development"];
export default {
	plugins: [rivetkit()],
	environments: { rivetkit: { resolve: { conditions, externalConditions: conditions } } },
};
`;

/** One version of the actors' module: `step` is what an edit changes. */
const actors = (step: string, managerPort: number) => `
import { actor, event, setup } from "rivetkit";
import { STEP } from "./step.ts";

const counter = actor({
	state: { count: 0 },
	vars: { calls: 0 },
	events: { count: event<number>() },
	run: (c) => c.broadcast("count", -(${step})),
	actions: {
		add: (c) => {
			c.vars.calls++;
			c.state.count += ${step};
			c.broadcast("count", c.state.count);
			return { count: c.state.count, calls: c.vars.calls };
		},
	},
});

export const registry = setup({ use: { counter }, managerPort: ${managerPort} });
`;

const projects: Project[] = [];
async function create(files: Readonly<Record<string, string>>): Promise<Project> {
	const project = await Project.create({
		"vite.config.ts": CONFIG,
		"src/main.ts": 'document.title = "main";',
		...files,
	});
	projects.push(project);
	return project;
}

afterAll(async () => {
	for (const project of projects) await project.remove();
});

/** Resolves when `check` holds. */
async function until(check: () => boolean | Promise<boolean>, project: Project): Promise<void> {
	const deadline = Date.now() + 60_000;
	while (!(await check())) {
		if (Date.now() > deadline) throw new Error(`it did not come; vite printed:\n${project.output}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

/**
 * Saves a file as an editor does, and again as long as `seen` does not hold: watchers drop what follows
 * within milliseconds on another change, which people do not do.
 */
async function edit(
	project: Project,
	file: string,
	text: string,
	seen: () => boolean | Promise<boolean>,
): Promise<void> {
	let savedTs = 0;
	await until(async () => {
		if (await seen()) return true;
		if (Date.now() - savedTs > 1_000) {
			savedTs = Date.now();
			await project.write(file, text);
		}
		return false;
	}, project);
}

type Added = { count: number; calls: number };

describe("vite with the plugin", () => {
	let project: Project;
	let connection: { add(): Promise<Added>; on: (event: string, cb: (n: number) => void) => void };
	let client: ReturnType<typeof createClient>;
	const statuses: string[] = [];
	const counts: number[] = [];
	const reloads = () => project.output.split("the actors run the new code").length - 1;

	beforeAll(async () => {
		project = await create({ "src/step.ts": "export const STEP = 1;" });
		await project.write("src/actors.ts", actors("STEP", project.managerPort));
		expect(await project.serve()).toBe(null);
		client = createClient(project.endpoint);
		const opened = client.counter!.getOrCreate(["a"]).connect();
		opened.onStatusChange((status) => statuses.push(status));
		opened.on("count", (count) => counts.push(count as number));
		connection = opened as never;
	});
	afterAll(() => client?.dispose());

	it("serves the page and the actors, sockets too, at one address", async () => {
		expect(await connection.add()).toEqual({ count: 1, calls: 1 });
		expect(await (await fetch(project.origin)).text()).toContain("The page");
		const metadata = await (await fetch(`${project.endpoint}/metadata`)).json();
		expect(metadata).toMatchObject({ runtime: "rivetkit", actorNames: { counter: {} } });
		expect(metadata).not.toHaveProperty("clientEndpoint");
		expect((await fetch(`${project.endpoint}x`)).headers.get("content-type")).toContain("html");
	});

	it("serves them at managerPort for other programs, too", async () => {
		const other = createClient(`http://127.0.0.1:${project.managerPort}`);
		expect(await other.counter!.getOrCreate(["other"]).action({ name: "add", args: [] })).toEqual({
			count: 1,
			calls: 1,
		});
		await other.dispose();
	});

	it("swaps the code on an edit: state and sockets stay, vars begin anew, run runs again", async () => {
		counts.length = 0;
		await edit(project, "src/actors.ts", actors("10", project.managerPort), () => reloads() === 1);
		expect(await connection.add()).toEqual({ count: 11, calls: 1 });
		await until(() => counts.includes(11) && counts.includes(-10), project);
		expect(statuses).toEqual(["connected"]);
	});

	it("swaps it for an edit of a module that the actors import", async () => {
		await edit(
			project,
			"src/actors.ts",
			actors("STEP", project.managerPort),
			() => reloads() === 2,
		);
		await edit(project, "src/step.ts", "export const STEP = 100;", () => reloads() === 3);
		expect(await connection.add()).toEqual({ count: 111, calls: 1 });
	});

	it("leaves the actors alone on an edit of the page", async () => {
		expect(await connection.add()).toEqual({ count: 211, calls: 2 });
		await fetch(`${project.origin}/src/main.ts`);
		await edit(project, "src/main.ts", 'document.title = "edited";', async () => {
			const script = await (await fetch(`${project.origin}/src/main.ts`)).text();
			return script.includes("edited");
		});
		expect(await connection.add()).toEqual({ count: 311, calls: 3 });
		expect(reloads()).toBe(3);
	});

	it.each([
		["a syntax error", "export const registry = (", /actors\.ts[\s\S]*could not be loaded/],
		["a module that throws", 'throw new Error("no good");', /no good/],
		[
			"an invalid definition",
			'import { actor } from "rivetkit"; actor({ onStart() {} });',
			/onWake/,
		],
		["no registry", "export const actors = {};", /exports no registry, but actors/],
		["a missing import", 'import "./not-there.ts";', /not-there/],
	])(
		"keeps the old code over %s, and says so in the log and on the page",
		async (_, text, said) => {
			const pages = await hearPages(project);
			const before = project.output.length;
			const printed = () => project.output.slice(before);
			const good = await readFile(join(project.folder, "src/actors.ts"), "utf8");
			const { count } = await connection.add();
			// Pages may first hear of a file that is half written; what vite prints takes another way than what they hear.
			await edit(
				project,
				"src/actors.ts",
				text,
				() => pages.errors.some((error) => said.test(error)) && said.test(printed()),
			);
			expect(printed()).toContain("those that were loaded last go on");
			expect((await connection.add()).count).toBe(count + 100);
			const swapped = reloads();
			await edit(project, "src/actors.ts", good, () => reloads() > swapped && pages.updates > 0);
			expect((await connection.add()).count).toBe(count + 200);
			expect(statuses).toEqual(["connected"]);
			pages.close();
		},
	);

	it("goes on with all data after vite was stopped and started", async () => {
		const { count } = await connection.add();
		await project.stop();
		project.output = "";
		await project.serve();
		expect((await connection.add()).count).toBe(count + 100);
		expect(statuses.at(-1)).toBe("connected");
	});

	it("goes on with all data over an edit of its configuration, which starts it anew", async () => {
		const { count } = await connection.add();
		await edit(project, "vite.config.ts", `${CONFIG}// edited`, () =>
			project.output.includes("server restarted"),
		);
		expect((await connection.add()).count).toBe(count + 100);
		expect(project.output).not.toContain("could not be loaded");
	});
});

describe("the plugin's options", () => {
	it("name the module, and where the dev server serves its actors", async () => {
		const options = 'rivetkit({ entry: "server/all.ts", basePath: "/actors/" })';
		const project = await create({
			"vite.config.ts": CONFIG.replace("rivetkit()", options),
			"server/step.ts": "export const STEP = 1;",
		});
		await project.write("server/all.ts", actors("STEP", project.managerPort));
		expect(await project.serve()).toBe(null);
		const client = createClient(`${project.origin}/actors`);
		const connection = client.counter!.getOrCreate(["a"]).connect();
		expect(await connection.action({ name: "add", args: [] })).toEqual({ count: 1, calls: 1 });
		expect(await (await fetch(`${project.endpoint}/metadata`)).text()).toContain("The page");
		await client.dispose();
	});
});

describe("vite with the plugin says what is wrong", () => {
	it("when there is no module with the actors: and does not start", async () => {
		const project = await create({});
		expect(await project.serve()).not.toBe(null);
		expect(project.output).toContain("looked for src/actors.ts, src/actors/index.ts");
		expect(project.output).toContain('rivetkit({ entry: "path/of/actors.ts" })');
	});

	it("when what it was told to load is not there", async () => {
		const config = CONFIG.replace("rivetkit()", 'rivetkit({ entry: "server/all.ts" })');
		const project = await create({ "vite.config.ts": config });
		expect(await project.serve()).not.toBe(null);
		expect(project.output).toMatch(
			/rivetkit\(\{ entry: "server\/all\.ts" \}\): there is no \S+all\.ts/,
		);
	});

	it("when the actors are broken at the start: and starts them once they are mended", async () => {
		const project = await create({
			"src/step.ts": "export const STEP = 1;",
			"src/actors.ts": "export {}",
		});
		expect(await project.serve()).toBe(null);
		await until(() => project.output.includes("none run until it is mended"), project);
		const refused = await fetch(`${project.endpoint}/metadata`);
		expect([refused.status, await refused.json()]).toMatchObject([503, { group: "guard" }]);
		const mended = actors("STEP", project.managerPort);
		await edit(project, "src/actors.ts", mended, async () => {
			return (await fetch(`${project.endpoint}/metadata`)).ok;
		});
		await until(async () => {
			const own = fetch(`http://127.0.0.1:${project.managerPort}/health`);
			return (await own.catch(() => null))?.ok ?? false;
		}, project);
	});

	it("when managerPort is taken: and serves the page's actors all the same", async () => {
		const project = await create({ "src/step.ts": "export const STEP = 1;" });
		const occupant = createServer((_, response) => response.end("me"));
		await new Promise<void>((resolve) =>
			occupant.listen(project.managerPort, "127.0.0.1", resolve),
		);
		await project.write("src/actors.ts", actors("STEP", project.managerPort));
		await project.serve();
		await until(() => project.output.includes("other programs do not"), project);
		expect(project.output).toMatch(
			new RegExp(`${project.managerPort}[\\s\\S]*setup\\(\\{ managerPort`),
		);
		expect((await fetch(`${project.endpoint}/metadata`)).status).toBe(200);
		occupant.closeAllConnections();
		occupant.close();
	});
});

describe("vite build", () => {
	it("does not load, start or bundle the actors", async () => {
		const project = await create({ "src/actors.ts": 'throw new Error("loaded");' });
		expect(await project.build()).toBe(0);
		expect(project.output).not.toContain("loaded");
		expect(existsSync(join(project.folder, "dist/index.html"))).toBe(true);
		expect(existsSync(join(project.folder, ".rivetkit"))).toBe(false);
	});
});

/** What Vite tells the pages that are open. */
async function hearPages(project: Project) {
	const page = await (await fetch(`${project.origin}/@vite/client`)).text();
	const token = /const wsToken = "([^"]+)"/.exec(page)?.[1] ?? "";
	const socket = new WebSocket(
		`${project.origin.replace("http", "ws")}/?token=${token}`,
		"vite-hmr",
	);
	const heard = { errors: [] as string[], updates: 0, close: () => socket.close() };
	socket.onmessage = ({ data }) => {
		const message = JSON.parse(data as string) as { type: string; err?: { message: string } };
		if (message.type === "error") heard.errors.push(message.err!.message);
		if (message.type === "update") heard.updates++;
	};
	await new Promise((resolve, reject) => {
		socket.onopen = resolve;
		socket.onerror = reject;
	});
	return heard;
}
