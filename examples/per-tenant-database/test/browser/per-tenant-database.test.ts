import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBrowser } from "example-support/chromium";
import { freePort } from "example-support/free-port";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

let data: string;
let browser: Browser;
let server: ChildProcess | undefined;
let env: NodeJS.ProcessEnv;
let pageUrl: string;

async function startServer(): Promise<void> {
	const child = spawn(process.execPath, [join(folder, "src", "server.ts")], {
		env,
		stdio: ["ignore", "pipe", "pipe"],
	});
	server = child;
	let output = "";
	await new Promise<void>((resolve, reject) => {
		const hear = (chunk: Buffer) => {
			output += chunk.toString();
			if (output.includes("Customers at") && output.includes("Endpoint:")) resolve();
		};
		child.stdout.on("data", hear);
		child.stderr.on("data", hear);
		child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
	});
}

function endServer(signal: NodeJS.Signals): Promise<void> {
	const child = server;
	if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
	return new Promise((resolve) => {
		child.once("exit", () => resolve());
		child.kill(signal);
	});
}

async function openTab(tenant: string): Promise<Page> {
	const page = await browser.newPage({ viewport: { width: 640, height: 420 } });
	page.setDefaultTimeout(180_000);
	page.on("pageerror", (error) => {
		throw error;
	});
	await page.goto(`${pageUrl}/?tenant=${tenant}`);
	await page.waitForFunction(() => document.getElementById("revenue")?.textContent !== "");
	return page;
}

const shows = (page: Page, lines: string[]) =>
	page.waitForFunction((wanted) => {
		const rows = [...document.querySelectorAll("#customers tr")];
		const found = rows.map((row) =>
			[...row.querySelectorAll("td")].map(({ textContent }) => textContent).join(" "),
		);
		return JSON.stringify(found) === JSON.stringify(wanted);
	}, lines);

async function add(page: Page, name: string): Promise<void> {
	await page.fill("#name", name);
	await page.click("#form button");
}

beforeAll(async () => {
	data = await mkdtemp(join(tmpdir(), "per-tenant-database-"));
	const [port, managerPort] = [await freePort(), await freePort()];
	env = {
		...process.env,
		NODE_ENV: "",
		PORT: `${port}`,
		MANAGER_PORT: `${managerPort}`,
		RIVETKIT_STORAGE_PATH: data,
	};
	pageUrl = `http://127.0.0.1:${port}`;
	await startServer();
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
	await endServer("SIGKILL");
	await rm(data, { recursive: true, force: true });
});

it("shows a tenant's customers, live in all of its tabs and in no other tenant's", async () => {
	const [one, two, other] = [await openTab("acme"), await openTab("acme"), await openTab("globex")];
	await add(one, "Coyote");
	await shows(one, ["Coyote 0 0.00 Order"]);
	await shows(two, ["Coyote 0 0.00 Order"]);
	await two.click("#customers button");
	await shows(one, ["Coyote 1 12.50 Order"]);
	await add(other, "Homer");
	await shows(other, ["Homer 0 0.00 Order"]);
	expect(await one.locator("#revenue").innerText()).toBe("12.50");
	await add(one, "Coyote");
	await one.waitForFunction(() =>
		document.getElementById("error")?.textContent?.includes("There is a customer Coyote"),
	);
	for (const page of [one, two, other]) await page.close();
});

it("keeps the database over a kill -9, and the open page goes on", async () => {
	const page = await openTab("acme");
	await shows(page, ["Coyote 1 12.50 Order"]);
	await endServer("SIGKILL");
	await startServer();
	await page.click("#customers button");
	await shows(page, ["Coyote 2 25.00 Order"]);
	await page.close();
});
