import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Shop, shopWith } from "./shop.ts";
import { keepPicture, openTab, seriousProblems, startBrowser } from "./support.ts";

const TOKEN = "only for those who know";

let browser: Browser;
let guarded: Shop;
let guardedUrl: string;

beforeAll(async () => {
	guarded = shopWith({
		driver: createMemoryDriver(),
		inspector: { token: () => TOKEN },
	});
	guardedUrl = (await guarded.listen()).url;
	await createClient<Shop>(guardedUrl).basket.getOrCreate(["secret"]).read();
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
	await guarded?.shutdown();
});

it("asks for the token where the server wants one, and keeps it in the tab", async () => {
	const { page, problems } = await openTab(browser, `${guardedUrl}/ui/#/actors/basket`, {
		reducedMotion: "reduce",
	});
	await page.getByRole("link", { name: "secret" }).click();
	await page.getByText("This server wants a token").waitFor();
	await keepPicture(page, "connect-light");
	expect(await seriousProblems(page)).toEqual([]);
	await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
	// Colours on their way from light to dark have no contrast to be judged.
	await page.evaluate(() =>
		Promise.all(document.getAnimations().map((animation) => animation.finished)),
	);
	await keepPicture(page, "connect-dark");
	expect(await seriousProblems(page)).toEqual([]);
	await page.setViewportSize({ width: 360, height: 740 });
	const { scrollWidth, clientWidth } = await page.evaluate(() => ({
		scrollWidth: document.documentElement.scrollWidth,
		clientWidth: document.documentElement.clientWidth,
	}));
	expect(scrollWidth).toBe(clientWidth);
	await page.getByLabel("Inspector token").fill("wrong");
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByText("inspector.unauthorized").waitFor();
	await page.getByLabel("Inspector token").fill(TOKEN);
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByText("Groceries").waitFor();
	await page.reload();
	await page.getByText("Groceries").waitFor();
	expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(TOKEN);
	expect(problems).toEqual([]);
});

it("looks at a server elsewhere, from a page that another one serves", async () => {
	const open = shopWith({ driver: createMemoryDriver() });
	const { url } = await open.listen();
	try {
		const { page, problems } = await openTab(browser, `${url}/ui/`);
		await page.getByRole("button", { name: /connected/ }).click();
		await page.getByLabel("Endpoint").fill(`${guardedUrl}/`);
		await page.getByLabel("Inspector token").fill(TOKEN);
		await page.getByRole("button", { name: "Connect", exact: true }).click();
		await page.getByRole("main").getByRole("link", { name: "Basket" }).click();
		await page.getByRole("link", { name: "secret" }).click();
		await page.getByText("Groceries").waitFor();
		expect(problems).toEqual([]);
	} finally {
		await open.shutdown();
	}
});

it("says that a server does not answer, and goes on when it does", async () => {
	const { page } = await openTab(browser, `${guardedUrl}/ui/`);
	const nobody = await listen();
	const { port } = nobody.address() as AddressInfo;
	await new Promise((resolve) => nobody.close(resolve));
	await page.getByRole("button", { name: /connected/ }).click();
	await page.getByLabel("Endpoint").fill(`127.0.0.1:${port}`);
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByText("The server does not answer").waitFor();
	await page.getByRole("button", { name: /not reachable/ }).waitFor();
	await page.getByLabel("Endpoint").fill(guardedUrl);
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByRole("main").getByRole("link", { name: "Basket" }).waitFor();
	// Whichever part of the page hears it: the header says so.
	await page.getByRole("button", { name: /connected/ }).waitFor();
	await page.route("**/metrics", (route) => route.abort());
	await page.getByRole("button", { name: /not reachable/ }).waitFor();
	await page.unroute("**/metrics");
	await page.getByRole("button", { name: /connected/ }).waitFor();
});

it("is not there when it is turned off", async () => {
	const without = shopWith({
		driver: createMemoryDriver(),
		dashboard: { enabled: false },
	});
	const { url } = await without.listen();
	try {
		expect((await fetch(`${url}/ui/`)).status).toBe(404);
	} finally {
		await without.shutdown();
	}
});

function listen(): Promise<Server> {
	const server = createServer();
	return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
