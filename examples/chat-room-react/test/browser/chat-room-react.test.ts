import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBrowser } from "example-support/chromium";
import { DevServer } from "example-support/dev-server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const vite = join(root, "..", "..", "node_modules", "vite", "bin", "vite.js");
/** What the page looks like, for the README: `npm run screenshots:examples`. */
const screenshot = join(root, "..", "..", "docs", "images", "chat-room-react.png");

let server: DevServer;
let browser: Browser;

interface Tab {
	readonly page: Page;
	/** WebSockets to actors that the page has opened. */
	readonly sockets: string[];
}

/** @param options - without `vite`, nothing but its own code changes the page, and nothing reloads it */
async function openTab(author: string, { vite = true } = {}): Promise<Tab> {
	const page = await browser.newPage({ viewport: { width: 640, height: 420 } });
	// Vite's script in the page would reload it when the server is back. It is left talking to nobody.
	if (!vite)
		await page.routeWebSocket(
			(url) => url.searchParams.has("token"),
			() => {},
		);
	page.setDefaultTimeout(180_000);
	const sockets: string[] = [];
	page.on("websocket", (socket) => {
		if (socket.url().includes("/api/rivet/")) sockets.push(socket.url());
	});
	page.on("pageerror", (error) => {
		throw error;
	});
	await page.goto(`${server.origin}/?room=lobby&author=${author}`);
	await page.waitForSelector('#status[data-status="connected"]');
	return { page, sockets };
}

async function say({ page }: Tab, text: string): Promise<void> {
	await page.fill("input", text);
	await page.click("button");
}

const sees = ({ page }: Tab, text: string) =>
	page.waitForFunction(
		(wanted) => document.getElementById("history")?.innerText.includes(wanted),
		text,
	);

const seesPresent = ({ page }: Tab, authors: string) =>
	page.waitForFunction(
		(wanted) => document.getElementById("present")?.textContent === wanted,
		authors,
	);

const lines = ({ page }: Tab) => page.locator("#history li").allInnerTexts();

beforeAll(async () => {
	server = await DevServer.create({
		root,
		files: ["src", "index.html", "vite.config.ts", "package.json"],
		command: (port) => [vite, "--host", "127.0.0.1", "--port", `${port}`, "--strictPort"],
		// Vite's own line, and the engine's.
		ready: ["Local:", "Endpoint:"],
	});
	await server.start();
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
	await server?.remove();
});

it("keeps two tabs in sync, and opens one connection for each in Strict Mode", async () => {
	const [ada, grace] = [await openTab("Ada"), await openTab("Grace")];
	await seesPresent(ada, "Ada, Grace");
	await say(ada, "Is anybody here?");
	await sees(grace, "Is anybody here?");
	await say(grace, "Yes. And it stays here.");
	for (const tab of [ada, grace]) await sees(tab, "Yes. And it stays here.");
	expect(await lines(ada)).toEqual(await lines(grace));
	// Effects of development builds run twice: that is what Strict Mode is.
	expect(ada.sockets).toHaveLength(1);
	expect(grace.sockets).toHaveLength(1);
	expect(ada.sockets[0]).toContain(server.origin.replace("http", "ws"));
	if (process.env.EXAMPLE_SCREENSHOTS) await ada.page.screenshot({ path: screenshot });
	await grace.page.close();
	await seesPresent(ada, "Ada");
	await ada.page.close();
});

it("keeps the room, the page and its socket over an edit of the actors, and runs the new code", async () => {
	const ada = await openTab("Ada");
	await say(ada, "before the edit");
	await sees(ada, "before the edit");
	const before = await lines(ada);
	await ada.page.fill("input", "half a sentence");
	await server.edit("src/actors.ts", (text) =>
		text.replace("text, sentAt", "text: text.toUpperCase(), sentAt"),
	);
	await expect.poll(() => server.output).toContain("the actors run the new code");
	expect(await ada.page.inputValue("input")).toBe("half a sentence");
	await say(ada, "after the edit");
	await sees(ada, "AFTER THE EDIT");
	expect((await lines(ada)).slice(0, before.length)).toEqual(before);
	await seesPresent(ada, "Ada");
	expect(ada.sockets).toHaveLength(1);
	await ada.page.close();
});

it("shows an edit that does not compile on the page, and the room goes on", async () => {
	const ada = await openTab("Ada");
	await server.edit("src/actors.ts", (text) => text.replace("setup({", "setup(("));
	await ada.page.locator("vite-error-overlay").getByText("could not be loaded").first().waitFor();
	await ada.page.keyboard.press("Escape");
	await say(ada, "still here");
	await sees(ada, "STILL HERE");
	expect(ada.sockets).toHaveLength(1);
	await server.edit("src/actors.ts", (text) =>
		text.replace("setup((", "setup({").replace("text.toUpperCase()", "text.toLowerCase()"),
	);
	await expect
		.poll(async () => {
			await say(ada, "Mended");
			return (await lines(ada)).some((line) => line.includes("mended"));
		})
		.toBe(true);
	await ada.page.close();
});

it("survives a kill -9 of the server: pages reconnect by themselves, with the history", async () => {
	const ada = await openTab("Ada", { vite: false });
	await say(ada, "before the crash");
	await sees(ada, "before the crash");
	const before = await lines(ada);
	const openedAt = await ada.page.evaluate(() => performance.timeOrigin);
	await server.kill();
	await ada.page.waitForFunction(
		() => document.getElementById("status")?.dataset.status !== "connected",
	);
	await server.start();
	await ada.page.waitForSelector('#status[data-status="connected"]');
	await expect.poll(() => lines(ada)).toEqual(before);
	await say(ada, "after the crash");
	await sees(ada, "after the crash");
	expect(await ada.page.evaluate(() => performance.timeOrigin)).toBe(openedAt);
});
