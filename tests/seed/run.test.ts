import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileExamples, programOf } from "./support/compile-examples.ts";
import { type ExamplesFolder, readExamples, writeExamples } from "./support/examples-folder.ts";
import { NOT_TYPECHECKED } from "./support/exceptions.ts";
import type { Example } from "./support/extract-examples.ts";

// Every example of the guide is executed, compiled as it stands: definitions are accepted, and what is a
// program runs in a process of its own, against a server of its own (contract: api A1).
const all = (await readExamples()).filter(({ heading }) => !(heading in NOT_TYPECHECKED));
const isProgram = ({ blocks }: Example) =>
	blocks.some(({ code }) => /rivetkit\/client"|from "\.\//.test(code));
const definitions = all.filter((example) => !isProgram(example));
const programs = [
	...all.filter(isProgram),
	errorsExample(),
	schedulingExample(),
	runLoopExample(),
	workflowExample("Workflows", "worker", "tasks", [
		'{ url: "https://api.example.com/a" }',
		'{ url: "https://api.example.com/b" }',
	]),
	workflowExample("Workflow Loop", "worker", "work", ["{ amount: 2 }", "{ amount: 3 }"]),
];

/** What programs print. */
const PRINTED: Readonly<Record<string, string>> = {
	"No Framework": "metadata 200 rivetkit\n",
	Hono: "metadata 200 rivetkit\n",
	Errors: "username_too_short\n{ minLength: 3, actual: 2 }\n",
	"Run loop": "5\n",
	Reminders: "{ message: 'after' }\n{ message: 'at' }\n",
	"Workflows (with a client)": "POST /a \nPOST /b \n",
	"Workflow Loop (with a client)":
		'POST /workers/init \nPOST /workers/process {"amount":2}\nPOST /workers/process {"amount":3}\nPOST /workers/shutdown \n',
};

/** For what hangs, in ms: below the time limit of a test, to say what it printed until then. */
const TIME_LIMIT = 100_000;

let folder: ExamplesFolder;

beforeAll(async () => {
	folder = await writeExamples([...definitions, ...programs]);
	await compileExamples(folder);
});

afterAll(async () => {
	await folder[Symbol.asyncDispose]();
});

describe("the guide's definitions", () => {
	let outcomes: Record<string, string | null>;
	const moduleOf = (example: Example) => join(folder.path, example.id, programOf(example).main);

	beforeAll(async () => {
		const { code, stdout, stderr } = await run(
			"load-examples-process.ts",
			...definitions.map(moduleOf),
		);
		expect(code, stderr).toBe(0);
		outcomes = JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as typeof outcomes;
	});

	it.each(definitions)("$title is accepted", (example) => {
		expect(outcomes[moduleOf(example)]).toBeNull();
	});
});

describe("the guide's programs", () => {
	it.each(programs)("$title runs", async (example) => {
		const { server, main } = programOf(example);
		const path = join(folder.path, example.id);
		const { code, stdout, stderr } = await run("run-example-process.ts", path, server ?? "-", main);
		expect(code, stderr).toBe(0);
		expect(stderr).toBe("");
		// The guide has an action named `send`, which handles hide.
		const printed = stdout.replace(/^level=WARN .*"Action .*send.* is hidden by .*\n/gm, "");
		expect(printed).toBe(PRINTED[example.heading] ?? "");
	});
});

/** A workflow of the guide, with somebody who sends to it and the service that it calls. */
function workflowExample(
	chapter: string,
	name: string,
	queue: string,
	bodies: readonly string[],
): Example {
	const [block] = all.find(({ heading }) => heading === chapter)!.blocks;
	const hasSetup = /const registry =/.test(block!.code);
	const code = hasSetup
		? block!.code.replace("const registry =", "export const registry =")
		: `import { setup } from "rivetkit";\n${block!.code}\nexport const registry = setup({ use: { ${name} } });\n`;
	const service = `
const { fetch: realFetch } = globalThis;
export const calls: string[] = [];
globalThis.fetch = async (input, init) => {
	const { origin, pathname } = new URL(input instanceof Request ? input.url : String(input));
	if (origin !== "https://api.example.com") return realFetch(input, init);
	calls.push(pathname);
	console.log(init?.method, pathname, init?.body ?? "");
	return new Response();
};
`;
	const stop =
		queue === "work" ? `await worker.send("control", { type: "stop", reason: "enough" });` : "";
	const expected = bodies.length + (queue === "work" ? 2 : 0);
	const client = `import { createClient } from "rivetkit/client";
import { calls, type registry } from "./server";

const client = createClient<typeof registry>();
const worker = client.${name}.getOrCreate(["mine"]);
${bodies.map((body) => `await worker.send("${queue}", ${body});`).join("\n")}
${stop}
while (calls.length < ${expected}) await new Promise((resolve) => setTimeout(resolve, 5));
await client.dispose();
`;
	return {
		heading: `${chapter} (with a client)`,
		title: `${chapter} (with a client)`,
		id: `${chapter.toLowerCase().replace(" ", "-")}-client`,
		blocks: [{ ...block!, file: "main.ts", code: client }],
		borrowed: [{ ...block!, file: "server.ts", code: code + service }],
	};
}

/** "Client" of the chapter on errors, against "Actor" of the same chapter: it shows what that throws. */
function errorsExample(): Example {
	const [client] = all.find(({ heading }) => heading === "Client")!.blocks;
	const [actor] = all.find(({ heading }) => heading === "Actor")!.blocks;
	const code = `import { setup } from "rivetkit";\n${actor!.code}\nexport const registry = setup({ use: { user } });\n`;
	return {
		heading: "Errors",
		title: "Errors (client and actor)",
		id: "errors",
		blocks: [client!],
		borrowed: [{ ...actor!, file: "server.ts", code }],
	};
}

/** "Run Loop", with somebody who sends to its queue. */
function runLoopExample(): Example {
	const [loop] = all.find(({ heading }) => heading === "Run Loop")!.blocks;
	const server = loop!.code.replace("const registry =", "export const registry =");
	const client = `import { createClient } from "rivetkit/client";
import type { registry } from "./server";

const client = createClient<typeof registry>();
const worker = client.counterWorker.getOrCreate(["mine"]);
await worker.send("mutate", { delta: 2 });
await worker.send("mutate", { delta: 3 }, { wait: true });
console.log(await worker.getValue());
await client.dispose();
`;
	return {
		heading: "Run loop",
		title: "Run loop (with a client)",
		id: "run-loop-client",
		blocks: [{ ...loop!, file: "main.ts", code: client }],
		borrowed: [{ ...loop!, file: "server.ts", code: server }],
	};
}

/** The guide's reminders, with somebody who waits for them: they come. */
function schedulingExample(): Example {
	const [actor] = all.find(({ heading }) => heading === "Scheduling")!.blocks;
	const server = `import { setup } from "rivetkit";\n${actor!.code}\nexport const registry = setup({ use: { reminder } });\n`;
	const client = `import { createClient } from "rivetkit/client";
import type { registry } from "./server";

const client = createClient<typeof registry>();
const handle = client.reminder.getOrCreate(["mine"]);
const connection = handle.connect();
let heard = 0;
connection.on("reminder", (reminder) => {
	heard++;
	console.log(reminder);
});
// A reminder may come before the answer to the call that set it.
const hear = async (count: number) => {
	while (heard < count) await new Promise((resolve) => setTimeout(resolve, 5));
};
await connection.setReminder("after", 20);
await hear(1);
await connection.setReminderAt("at", Date.now() + 20);
await hear(2);
await client.dispose();
`;
	return {
		heading: "Reminders",
		title: "Reminders (of the chapter on scheduling)",
		id: "reminders",
		blocks: [{ ...actor!, file: "main.ts", code: client }],
		borrowed: [{ ...actor!, file: "server.ts", code: server }],
	};
}

function run(
	script: string,
	...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
	const path = fileURLToPath(new URL(`./support/${script}`, import.meta.url));
	const flags = ["--conditions=@rivetkit/source", path, ...args];
	const env = { ...process.env, NODE_ENV: "test", NODE_NO_WARNINGS: "1" };
	return new Promise((resolve, reject) => {
		const limits = { timeout: TIME_LIMIT, killSignal: "SIGKILL" } as const;
		const child = execFile(process.execPath, flags, { env, ...limits }, (error, stdout, stderr) => {
			const printed = `\n${stdout}${stderr}`;
			if (child.killed) reject(new Error(`${script} did not end in ${TIME_LIMIT} ms${printed}`));
			else if (!error) resolve({ code: 0, stdout, stderr });
			else if (typeof error.code === "number") resolve({ code: error.code, stdout, stderr });
			else reject(new Error(`${error.message}${printed}`));
		});
	});
}
