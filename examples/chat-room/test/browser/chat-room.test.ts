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
/** What the page looks like, for READMEs: `npm run screenshots:examples`. */
const screenshot = join(folder, "..", "..", "docs", "images", "chat-room.png");

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
			// Both the page's server and the one for WebSockets.
			if (output.includes("Chat at") && output.includes("Endpoint:")) resolve();
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

async function openTab(author: string): Promise<Page> {
	const page = await browser.newPage({ viewport: { width: 640, height: 420 } });
	page.setDefaultTimeout(180_000);
	page.on("pageerror", (error) => {
		throw error;
	});
	await page.goto(`${pageUrl}/?room=lobby&author=${author}`);
	await page.waitForSelector('#status[data-status="connected"]');
	return page;
}

async function say(page: Page, text: string): Promise<void> {
	await page.fill("#text", text);
	await page.click("button");
}

const sees = (page: Page, text: string) =>
	page.waitForFunction(
		(wanted) => document.getElementById("history")?.innerText.includes(wanted),
		text,
	);

const lines = (page: Page) => page.locator("#history li").allInnerTexts();

beforeAll(async () => {
	data = await mkdtemp(join(tmpdir(), "chat-room-"));
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

it("shows what one tab says in the other, live, and who is there", async () => {
	const [ada, grace] = [await openTab("Ada"), await openTab("Grace")];
	await ada.waitForFunction(() => document.getElementById("present")?.textContent === "Ada, Grace");
	await say(ada, "Is anybody here?");
	await sees(grace, "Is anybody here?");
	await say(grace, "Yes. And it stays here.");
	for (const page of [ada, grace]) await sees(page, "Yes. And it stays here.");
	expect(await lines(ada)).toEqual(await lines(grace));
	if (process.env.EXAMPLE_SCREENSHOTS) await ada.screenshot({ path: screenshot });
	await grace.close();
	await ada.waitForFunction(() => document.getElementById("present")?.textContent === "Ada");
	await ada.close();
});

it("keeps the history and the open page over a restart of the server, even a kill -9", async () => {
	const ada = await openTab("Ada");
	await say(ada, "before the crash");
	await sees(ada, "before the crash");
	const before = await lines(ada);
	await endServer("SIGKILL");
	await ada.waitForFunction(() => document.getElementById("status")?.textContent !== "connected");
	await startServer();
	await ada.waitForSelector('#status[data-status="connected"]');
	await say(ada, "after the crash");
	await sees(ada, "after the crash");
	expect((await lines(ada)).slice(0, before.length)).toEqual(before);
	const late = await openTab("Linus");
	await sees(late, "after the crash");
	expect(await lines(late)).toEqual(await lines(ada));
});

it("shows the actor's own error for a message that is too long", async () => {
	const page = await openTab("Ada");
	await say(page, "x".repeat(1_001));
	await page.waitForFunction(() =>
		document.getElementById("error")?.textContent?.includes("at most 1000 characters"),
	);
});
