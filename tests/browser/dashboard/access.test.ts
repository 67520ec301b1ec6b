import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { startBrowser } from "example-support/chromium";
import type { Browser } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Shop, shopWith } from "./shop.ts";
import { keepPicture, openTab, seriousProblems } from "./support.ts";

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

afterEach(async () => {
	// Pages that are left open go on asking.
	await Promise.all(browser.contexts().map((context) => context.close()));
});

it("asks for the token where the server wants one, and keeps it in the tab", async () => {
	const { page, problems } = await openTab(browser, `${guardedUrl}/ui/#/actors/basket`, {
		reducedMotion: "reduce",
	});
	await page.getByRole("link", { name: "secret" }).click();
	await page.getByRole("heading", { name: "This server wants a token" }).waitFor();
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
	await page.getByText("This token does not open the inspector").waitFor();
	await page.getByLabel("Inspector token").fill(TOKEN);
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByText("Groceries").waitFor();
	await page.reload();
	await page.getByText("Groceries").waitFor();
	expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(TOKEN);
	expect(problems).toEqual([]);
});

describe("a server with tokens for the inspector and the engine", () => {
	const ENGINE_TOKEN = "of-the-engine";
	let inspectorToken = TOKEN;
	let sealed: Shop;
	let url: string;
	let ownToken: string;

	beforeAll(async () => {
		sealed = shopWith({
			driver: createMemoryDriver(),
			token: ENGINE_TOKEN,
			inspector: { token: () => inspectorToken },
		});
		url = (await sealed.listen()).url;
		const basket = createClient<Shop>({ endpoint: url, token: ENGINE_TOKEN }).basket;
		const actorId = await basket.getOrCreate(["secret"]).resolve();
		const key = await fetch(`${url}/actors/${actorId}/kv/keys/Aw%3D%3D`, {
			headers: { "x-rivet-token": ENGINE_TOKEN },
		});
		ownToken = atob(((await key.json()) as { value: string }).value);
	});

	afterAll(() => sealed?.shutdown());

	it("refuses wrong ones when they are entered, and nothing that was typed elsewhere is lost", async () => {
		const { page, problems } = await openTab(browser, `${url}/ui/`);
		const connect = page.getByRole("button", { name: "Connect", exact: true });
		const form = page.getByRole("dialog");
		const token = page.getByLabel("Inspector token");
		const engine = page.getByLabel("Engine token");
		const refused = "This token does not open the inspector of this server";
		const focused = () =>
			page.evaluate(() => (document.activeElement as HTMLInputElement | null)?.value);
		await page.getByRole("button", { name: /connected/ }).click();
		await token.fill(TOKEN);
		await engine.fill("of another engine");
		await connect.click();
		await form.getByText("not the RIVET_TOKEN of this server").waitFor();
		await expect.poll(focused).toBe("of another engine");
		await token.fill("wrong");
		await engine.fill(ENGINE_TOKEN);
		await connect.click();
		await form.getByText(refused).waitFor();
		await expect.poll(focused).toBe("wrong");
		expect(await engine.inputValue()).toBe(ENGINE_TOKEN);
		await token.fill(TOKEN);
		await connect.click();
		await form.waitFor({ state: "detached" });

		await page.getByRole("main").getByRole("link", { name: "Basket" }).click();
		await page.getByRole("link", { name: "secret" }).click();
		await page.getByRole("link", { name: "Actions" }).click();
		const typed = page.getByLabel("Arguments");
		await typed.fill("41");
		await page.getByRole("button", { name: /connected/ }).click();
		await token.fill("wrong");
		await connect.click();
		await form.getByText(refused).waitFor();
		// On its own page an actor's own token counts.
		await token.fill(ownToken);
		await connect.click();
		await form.waitFor({ state: "detached" });
		expect(await typed.inputValue()).toBe("41");

		// Nor is it lost when the server has got another token meanwhile.
		await page.getByRole("button", { name: /connected/ }).click();
		await token.fill(TOKEN);
		await connect.click();
		await form.waitFor({ state: "detached" });
		inspectorToken = "a new one";
		await page.getByRole("heading", { name: "This server wants a token" }).waitFor();
		expect(await typed.inputValue()).toBe("41");
		await token.fill(inspectorToken);
		await connect.click();
		await page
			.getByRole("heading", { name: "This server wants a token" })
			.waitFor({ state: "detached" });
		expect(await typed.inputValue()).toBe("41");
		expect(problems).toEqual([]);
	});
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
		await page.getByRole("link", { name: "Logs" }).click();
		await page.getByRole("heading", { name: "secret" }).waitFor();

		// Its address leads somebody else to the same actor, who has to know the token.
		const address = page.url();
		expect(address).toContain(encodeURIComponent(guardedUrl));
		expect(address).not.toContain(encodeURIComponent(TOKEN));
		const other = await openTab(browser, address);
		await other.page.getByRole("heading", { name: "This server wants a token" }).waitFor();
		await other.page.getByText("Another server than the one of this page").waitFor();
		expect(await other.page.getByLabel("Endpoint").inputValue()).toBe(guardedUrl);
		await other.page.getByLabel("Inspector token").fill(TOKEN);
		await other.page.getByRole("button", { name: "Connect", exact: true }).click();
		await other.page.getByRole("heading", { name: "secret" }).waitFor();
		expect(other.page.url()).toBe(address);
		expect(other.strangers.every((asked) => asked.startsWith(guardedUrl))).toBe(true);

		// Back where the page comes from, whose token is another.
		await page.getByRole("button", { name: /connected/ }).click();
		await page.getByLabel("Endpoint").fill(url);
		await page.getByLabel("Inspector token").fill("");
		const leaks: string[] = [];
		page.on("request", (request) => {
			const { authorization = "" } = request.headers();
			if (request.url().startsWith(url) && authorization.includes(TOKEN)) leaks.push(request.url());
		});
		await page.getByRole("button", { name: "Connect", exact: true }).click();
		await page.getByText("This actor does not exist").waitFor();
		expect(page.url()).not.toContain("server=");
		await page.goBack();
		await page.getByRole("heading", { name: "secret" }).waitFor();
		expect(leaks).toEqual([]);
		expect([...problems, ...other.problems]).toEqual([]);
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
	await page.getByText(`http://127.0.0.1:${port} does not answer`).waitFor();
	await page.keyboard.press("Escape");
	const lost = encodeURIComponent(`http://127.0.0.1:${port}`);
	await page.goto(`${guardedUrl}/ui/#/?server=${lost}`);
	await page.getByText("The server does not answer").waitFor();
	await page.getByRole("button", { name: /not reachable/ }).waitFor();
	// What is typed stays while it is asked again and again.
	await page.getByLabel("Endpoint").fill(guardedUrl);
	const asked = new Set<string>();
	await page.route(`http://127.0.0.1:${port}/**`, (route) => {
		asked.add(new URL(route.request().url()).pathname);
	});
	await expect.poll(() => asked.size).toBe(2);
	await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn))));
	expect(await page.getByLabel("Endpoint").inputValue()).toBe(guardedUrl);
	await page.unroute(`http://127.0.0.1:${port}/**`);
	await page.getByRole("button", { name: "Connect", exact: true }).click();
	await page.getByRole("main").getByRole("link", { name: "Basket" }).waitFor();
	// Whichever part of the page hears it: the header says so, until another one hears something else.
	await page.getByRole("button", { name: /connected/ }).waitFor();
	await page.route(/\/(actors|metadata)\b/, () => {});
	await page.route("**/metrics", (route) => route.abort());
	await page.getByRole("button", { name: /not reachable/ }).waitFor();
	await page.unroute("**/metrics");
	await page.unroute(/\/(actors|metadata)\b/);
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
